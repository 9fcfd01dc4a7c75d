// Export of pictures, animations and manifests, and reproduction of manifests.

import { encodeArray, decodeLevels } from "./encoded_arrays.js";
import { blankCanvas, isComplete, visibleImage, traceImage } from "./canvas_model.js";
import { download } from "./dom.js";
import { RequestError, isAbort } from "./api.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./canvas_model.js").Canvas} Canvas */

const LARGE = 1024; // approximate longer side of an enlarged picture
const MAX_SCALE = 64;

export class Exporter {
  /** @param {State} state @param {import("./api.js").Server} server @param {import("./painter.js").Painter} painter */
  constructor(state, server, painter) {
    this.state = state;
    this.server = server;
    this.painter = painter;
  }

  /** Return the scale of an enlarged picture. @param {Canvas} canvas */
  scale(canvas) {
    return Math.max(2, Math.min(MAX_SCALE, Math.floor(LARGE / Math.max(canvas.height, canvas.width))));
  }

  /** @param {Canvas} canvas @param {number} scale */
  async png(canvas, scale) {
    const blob = await this.server.png(canvas.model, { levels: this.#levels(canvas), scale });
    download(blob, `${this.#name(canvas)}${scale > 1 ? `-x${scale}` : ""}.png`);
  }

  /** Save an animation of the painting. @param {Canvas} canvas @param {boolean} dark */
  async gif(canvas, dark) {
    const known = encodeArray(canvas.known, [canvas.height, canvas.width]);
    const request = { images: [this.#levels(canvas)], order: canvas.settings.order, dark };
    const blob = await this.server.gif(canvas.model, canvas.known.includes(1) ? { ...request, known } : request);
    download(blob, `${this.#name(canvas)}.gif`);
  }

  /** @param {Canvas} canvas */
  manifest(canvas) {
    const { manifest } = canvas.trace ?? {};
    if (manifest) download(new Blob([JSON.stringify(manifest, null, 1)], { type: "application/json" }), `${this.#name(canvas)}.json`);
  }

  /** Formats available for the active canvas. */
  get available() {
    const { canvas } = this.state;
    if (!canvas) return { picture: false, gif: false, manifest: false };
    const complete = isComplete(visibleImage(canvas));
    const picture = complete && canvas.details.image.mode !== "codes";
    return { picture, gif: picture && canvas.trace !== null, manifest: Boolean(canvas.trace?.manifest) };
  }

  /** Paint the images of a manifest again, and compare. @param {File} file */
  async reproduce(file) {
    const manifest = parseManifest(await file.text());
    const { state } = this;
    const ready = state.models.filter((model) => model.details);
    const model = ready.find((model) => model.details?.sha256 === manifest.model.sha256) ?? ready.find((model) => model.id === state.modelId);
    if (!model?.details) return state.notify("error", "No model is ready to reproduce the manifest: wait until one is.");
    this.painter.stop();
    const work = { waiting: null, stop: new AbortController() };
    state.work = work;
    state.notify("plain", `Painting ${file.name} again with ${model.name} …`);
    try {
      const found = await this.server.reproduce(model.id, manifest, work.stop.signal);
      await this.#show(model.id, model.details, manifest, found);
    } catch (error) {
      if (!isAbort(error)) throw error;
      state.notice = null;
    } finally {
      if (state.work === work) state.work = null;
      state.changed();
    }
  }

  /** @param {string} model @param {Api.ModelDetails} details @param {Api.SampleManifest} manifest @param {Api.ReproduceResult} found */
  async #show(model, details, manifest, found) {
    const canvases = [];
    for (const [i, image] of found.images.entries()) {
      const spec = manifest.request.samples[i];
      const [, height, width] = image.levels.shape;
      const levels = decodeLevels(image.levels);
      const settings = {
        guidance: manifest.request.guidance ?? 1, temperature: manifest.request.temperature ?? 1, top_p: manifest.request.top_p ?? 1,
        order: manifest.request.order ?? null,
      };
      const query = { levels: image.levels, conditions: spec.conditions, order: settings.order };
      const maps = await this.server.score(model, query);
      const parts = traceImage(details, levels, maps);
      parts.trace.painted = image;
      const rng = { seed: spec.seed ?? 0, index: spec.index ?? 0 };
      const verdict = { same: found.identical[i], text: found.identical[i] ? "identical to the bit" : "differs" };
      canvases.push({ ...blankCanvas(model, details, [height, width]), ...parts, conditions: spec.conditions ?? {}, settings, rng, verdict });
    }
    this.state.show(canvases);
    this.painter.addToGallery(canvases);
    this.state.notify(found.identical.every(Boolean) ? "good" : "error", found.message);
  }

  /** @param {Canvas} canvas */
  #levels(canvas) {
    return encodeArray(visibleImage(canvas).levels, [canvas.details.image.channels, canvas.height, canvas.width]);
  }

  /** @param {Canvas} canvas */
  #name(canvas) {
    const condition = typeof canvas.conditions.label === "number" ? canvas.details.conditions.labels[canvas.conditions.label] : canvas.conditions.text;
    const parts = [canvas.model, condition, canvas.rng ? `seed-${canvas.rng.seed}` : "image", canvas.rng?.index || ""];
    return parts.filter(Boolean).join("-").replace(/[^\w.-]+/g, "-").slice(0, 80);
  }
}

/** @param {string} text @returns {Api.SampleManifest} */
function parseManifest(text) {
  try {
    const manifest = JSON.parse(text);
    if (manifest?.format === "pointillist-manifest") return manifest;
  } catch {
    // reported below
  }
  throw new RequestError({ error: "The file is not a manifest: choose one that the studio saved.", code: "invalid" }, 0);
}
