// Export of pictures, animations and manifests, and reproduction of manifests.

import { decodeArray, encodeArray } from "./encoded_arrays.js";
import { blankCanvas, holdsAnything, isComplete, settingsFrom, visibleImage, traceImage } from "../canvas/canvas_model.js";
import { isDeep } from "../shared/colour.js";
import { download } from "../shared/dom.js";
import { RequestError, isAbort } from "./api.js";
import { nameOf } from "./painter.js";
import { gif } from "./picture_files.js";
import { manifestOf, originOf, parseManifest } from "./manifests.js";
import { atlas, contactSheet } from "../canvas/sheet.js";
import { tilesOf } from "../canvas/tiles.js";
import { readImage, writeProject } from "./project.js";
import { editedMaps, readEdits } from "../state/map_edits.js";
import { zip } from "./zip.js";

const LARGE = 1024; // approximate longer side of an enlarged picture
const MAX_SCALE = 64;
const EMPTY = "Nothing is painted yet: paint, draw or open an image first.";

export class Exporter {
  /** @param {State} state @param {import("./api.js").Server} server @param {import("./painter.js").Painter} painter */
  constructor(state, server, painter) {
    this.state = state;
    this.server = server;
    this.painter = painter;
  }

  /** Return the scale of an enlarged picture. @param {Canvas} canvas */
  scale(canvas) {
    const tiles = tilesOf(canvas.details.image);
    const side = Math.max(canvas.height * (tiles?.height ?? 1), canvas.width * (tiles?.width ?? 1));
    return Math.max(2, Math.min(MAX_SCALE, Math.floor(LARGE / side)));
  }

  /** @param {Canvas} canvas @param {number} scale */
  async png(canvas, scale) {
    download(await this.#png(canvas, scale), `${this.#fileName(canvas)}${scale > 1 ? `-x${scale}` : ""}.png`);
  }

  /** Name a file by the name that the user gave in the gallery, and what painted it. @param {Canvas} canvas */
  #fileName(canvas) {
    const name = this.state.gallery.find((item) => item.canvas === canvas)?.name;
    return name && name !== nameOf(canvas) ? safe(`${name}-${fileName(canvas)}`) : fileName(canvas);
  }

  /** Make a PNG file, with the manifest in it. @param {Canvas} canvas @param {number} scale */
  #png(canvas, scale) {
    return this.server.file(this.#model(canvas), "png", { levels: this.#levels(canvas), scale, manifest: canvas.trace?.manifest ?? null, palette: this.#palette(canvas) });
  }

  /** Return the colours in which a canvas is shown, if they are not its model's own. @param {Canvas} canvas */
  #palette(canvas) {
    const model = this.state.modelOf(canvas);
    const own = model && (this.state.ownDetails.get(model.id) ?? model.details);
    const { palette } = canvas.details.image;
    return JSON.stringify(palette) === JSON.stringify(own?.image.palette) ? null : palette;
  }

  /** Return the id of the open model that a canvas belongs to. @param {Canvas} canvas */
  #model(canvas) {
    const model = this.state.modelOf(canvas);
    if (!model) throw new RequestError({ error: `The image was made with ${canvas.model}, which is not open here: start the studio with it.`, code: "not_found" }, 0);
    return model.id;
  }

  /** Save a map for an editor, with its tileset. @param {Canvas} canvas @param {"tmj" | "csv"} format */
  async map(canvas, format) {
    download(await this.server.file(this.#model(canvas), "map", { levels: this.#levels(canvas), format }), `${fileName(canvas)}-${format}.zip`);
  }

  /** Save images with their settings in one file. @param {GalleryItem[]} items */
  async zip(items) {
    if (!items.length) return this.state.notify("plain", "The gallery is empty: paint something first.");
    const files = [];
    for (const [i, { canvas, name }] of items.entries()) {
      if (!isPicture(canvas) || !this.state.modelOf(canvas)) continue;
      const bytes = new Uint8Array(await (await this.#png(canvas, 1)).arrayBuffer());
      files.push({ name: `${String(i + 1).padStart(3, "0")}-${safe(name)}-${fileName(canvas)}.png`, bytes });
    }
    download(zip(files), "pointillist-gallery.zip");
    if (files.length < items.length) this.state.notify("plain", `${items.length - files.length} images are left out: their models are not open here, or they are grids of codes without a tileset.`);
  }

  /** Save images with names and settings, and what was changed in endless maps, in one file, to open here again. @param {GalleryItem[]} items */
  project(items) {
    const maps = editedMaps(this.state.mapEdits, this.state.models);
    if (!items.length && !maps.length) return this.state.notify("plain", "The gallery is empty: paint something first.");
    download(new Blob([writeProject(items, maps)], { type: "application/json" }), "pointillist-project.json");
  }

  /** Add the images of a project to the gallery, and its cells to the endless maps. @param {{images: any[], maps: any[]}} parts */
  async openProject({ images, maps }) {
    const { state } = this;
    /** @type {import("./project.js").Entry[]} */
    const entries = [], /** @type {Set<string>} */ reasons = new Set();
    for (const image of images.slice().reverse())
      try {
        entries.push(await readImage(image, state, this.server));
      } catch (error) {
        reasons.add(error instanceof Error ? error.message : String(error));
      }
    const items = this.painter.addToGallery(entries.map(({ canvas }) => canvas));
    const named = new Map(entries.map((entry) => [entry.canvas, entry]));
    state.gallery = state.gallery.map((item) => ({ ...item, ...named.get(item.canvas) }));
    let left = images.length - entries.length, cells = 0;
    for (const map of maps)
      try {
        const edits = readEdits(map, state.models);
        state.mapEdits = new Map([...state.mapEdits, ...edits]);
        cells += edits.size;
      } catch (error) {
        left++;
        reasons.add(error instanceof Error ? error.message : String(error));
      }
    const changed = cells ? ` ${cells} ${cells === 1 ? "cell" : "cells"} of endless maps ${cells === 1 ? "was" : "were"} changed.` : "";
    const added = `${items.length} ${items.length === 1 ? "image was" : "images were"} added to the gallery.${changed}`;
    state.notify(left ? "error" : "good", left ? `${added} ${left} were left out: ${[...reasons].join("; ")}.` : added);
  }

  /** Save images as one sheet with names. @param {GalleryItem[]} items */
  async sheet(items) {
    if (items.length) download(await contactSheet(items), "contact-sheet.png");
  }

  /** Save images side by side, and their places. @param {GalleryItem[]} items */
  async atlas(items) {
    if (!items.length) return;
    const { picture, places } = await atlas(items);
    download(picture, "atlas.png");
    download(new Blob([JSON.stringify({ image: "atlas.png", places }, null, 1)], { type: "application/json" }), "atlas.json");
  }

  /** Save an animation of the painting. @param {Canvas} canvas @param {boolean} dark */
  gif(canvas, dark) {
    const { known, details, trace } = canvas;
    if (trace) download(gif(details.image, this.#levels(canvas), trace.sequence, { known, dark }), `${this.#fileName(canvas)}.gif`);
  }

  /** @param {Canvas} canvas */
  manifest(canvas) {
    const { manifest } = canvas.trace ?? {};
    if (manifest) download(new Blob([JSON.stringify(manifest, null, 1)], { type: "application/json" }), `${fileName(canvas)}.json`);
  }

  /** Return why the active canvas cannot be saved in a format, one sentence; null where it can. */
  get obstacles() {
    const { canvas } = this.state;
    if (!canvas) return { picture: EMPTY, map: EMPTY, gif: EMPTY, manifest: EMPTY };
    const unfinished = holdsAnything(canvas) ? "Pixels are missing: paint or fill them first." : EMPTY;
    const map = isComplete(visibleImage(canvas)) ? null : unfinished;
    const picture = isPicture(canvas) ? map : "A grid of codes without a tileset is not a picture: save it as a map, under More.";
    const gif = picture ?? (canvas.trace ? null : "There is no painting to show: the image was changed by hand since, or was never painted.");
    const manifest = canvas.trace?.manifest ? null : holdsAnything(canvas) ? "Only a whole painting has a manifest: this image was opened without one, changed by hand, or is not finished." : EMPTY;
    return { picture, map, gif, manifest };
  }

  /** Paint the images of a manifest again, and compare. @param {string} text @param {string} name of the file */
  async reproduce(text, name) {
    const manifest = parseManifest(text);
    const { state } = this;
    const ready = state.models.filter((model) => model.details);
    const model = ready.find((model) => model.details?.sha256 === manifest.model.sha256) ?? ready.find((model) => model.name === manifest.model.name);
    if (!model?.details) return state.notify("error", `${name} was made with ${manifest.model.name}, which is not open here: start the studio with it.`);
    this.painter.stop();
    const work = { waiting: null, stop: new AbortController() };
    state.work = work;
    state.notify("plain", `Painting ${name} again with ${model.name} …`);
    try {
      const found = await this.server.ask(model.id, "reproduce", { manifest }, work.stop.signal);
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
      const { rng, conditions, variation, known } = originOf(manifest, i);
      const [, height, width] = image.levels.shape;
      const levels = decodeArray(image.levels);
      const settings = settingsFrom(manifest.request);
      const maps = await this.server.ask(model, "score", { levels: image.levels, conditions, order: settings.order });
      const parts = traceImage(details, levels, maps, known);
      parts.trace.painted = image;
      parts.trace.manifest = found.identical[i] ? manifestOf(manifest, i) : null;
      const verdict = { same: found.identical[i], text: found.identical[i] ? "identical to the bit" : "differs" };
      canvases.push({ ...blankCanvas(model, details, [height, width]), ...parts, conditions, variation, settings, rng, verdict });
    }
    this.painter.keepDrawings();
    this.state.useSettings(canvases[0]);
    this.state.show(canvases);
    this.painter.addToGallery(canvases);
    this.state.notify(found.identical.every(Boolean) ? "good" : "error", found.message);
  }

  /** @param {Canvas} canvas */
  #levels(canvas) {
    return encodeArray(visibleImage(canvas).levels, [canvas.details.image.channels, canvas.height, canvas.width]);
  }
}

/** Return true if a canvas can be saved as a picture: codes only by tiles. @param {Canvas} canvas */
const isPicture = ({ details: { image } }) => image.mode !== "codes" || isDeep(image) || Boolean(image.tiles);

/** @param {Canvas} canvas */
function fileName(canvas) {
  const condition = typeof canvas.conditions.label === "number" ? canvas.details.conditions.labels[canvas.conditions.label] : canvas.conditions.text;
  const { rules, seamless, best_of: bestOf } = canvas.settings;
  const ways = [rules && "rules", seamless && `tiles-${seamless}`, bestOf && bestOf > 1 && `best-of-${bestOf}`, canvas.variation && "variation", canvas.filled && "filled"];
  const parts = [canvas.model, condition, ...ways, canvas.rng ? `seed-${canvas.rng.seed}` : "image", canvas.rng?.index || ""];
  return safe(parts.filter(Boolean).join("-"));
}

/** Make a part of a file name. @param {string} text */
const safe = (text) => text.replace(/[^\w.-]+/g, "-").slice(0, 80);
