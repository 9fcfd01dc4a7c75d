// Filling: candidates for the unknown or selected pixels of the active canvas, of which one is applied.

import { decodeArray, encodeArray } from "./encoded_arrays.js";
import { conditionsOf } from "../state/paint_jobs.js";
import { hasHole, isStopped, sameGrid, settingsFrom, traceImage, visibleImage, withImage } from "../canvas/canvas_model.js";
import { isAbort } from "./api.js";
import { originOf } from "./manifests.js";

/** @typedef {{hole: Canvas, result: Api.FillResult, canvases: Canvas[], counts: number[]}} Fill the canvas with the hole, the distinct candidates, and how often each was drawn */

export class Filler {
  /** @param {State} state @param {import("./api.js").Server} server @param {import("./painter.js").Painter} painter */
  constructor(state, server, painter) {
    this.state = state;
    this.server = server;
    this.painter = painter;
  }

  /** Return true if the active canvas has something to fill. */
  get available() {
    const { state } = this;
    const { canvas } = state;
    if (!canvas || state.work || state.playing || state.stroke || isStopped(canvas)) return false;
    const { known } = visibleImage(canvas);
    return known.includes(1) && (known.includes(0) || Boolean(state.selection?.includes(1)));
  }

  /** Return true if the active canvas is partly drawn or erased by hand, so that painting completes it. */
  get completes() {
    const { state } = this;
    return this.available && state.request.compare.by === "" && state.canvas !== undefined && hasHole(state.canvas);
  }

  /** The candidates of the active canvas, or null. */
  get fill() {
    const { fill, canvas } = this.state;
    return fill && canvas && fill.canvases.includes(canvas) ? fill : null;
  }

  /**
   * Fill the active canvas, or the hole from which its candidates came once more.
   * @param {{method?: Api.FillRequest["method"], number?: number}} [picture] in place of the chosen method; number of the candidate to show
   */
  async start({ method = this.state.fillMethod, number } = {}) {
    const { state } = this;
    if (!state.canvas) return;
    const hole = this.fill?.hole ?? holeOf(state.canvas, state.selection);
    const model = this.#model(hole);
    if (!model?.details) return state.notify("error", `The canvas was painted by ${hole.model}, which is not open here.`);
    this.painter.stop();
    const work = { waiting: null, stop: new AbortController(), filling: Date.now() };
    const clock = setInterval(() => state.changed(), 500);
    state.work = work;
    state.notice = null;
    state.live = false;
    state.changed();
    try {
      const conditions = conditionsOf(state.request, model.details.conditions);
      const request = { ...this.#request(hole, conditions), method };
      const asPainted = method === "auto" || method === "known"; // a painting completes as these do
      const live = state.exported && asPainted && number === undefined && !hole.allowed.length ? this.#live(hole, model, request, work) : null;
      await (state.workers > 1 && live ? Promise.race([live.done, live.begun]) : live?.done);
      const [result] = await Promise.all([this.server.ask(model.id, "fill", { ...request, seed: live?.canvas.rng.seed ?? request.seed }, work.stop.signal), live?.done]);
      if (live && state.canvas !== live.canvas) return; // something else is on the canvas
      if (number !== undefined) result.candidates.sort((a, b) => Number(b.number === number) - Number(a.number === number));
      await this.#show(hole, result, { ...conditions, ...(originOf(result.manifest, 0).conditions.letters && { letters: true }) }, live?.canvas ?? null);
    } catch (error) {
      if (!isAbort(error)) state.notify("error", error instanceof Error ? error.message : String(error));
    } finally {
      clearInterval(clock);
      if (state.work === work) state.work = null;
      state.changed();
    }
  }

  /**
   * Paint the first candidate pixel by pixel: a page without a server draws the others after it, or by other workers once it has begun.
   * @param {Canvas} hole @param {Api.ModelInfo} model @param {Api.FillRequest} request @param {import("../state/state.js").Work} work
   */
  #live(hole, { id, details }, request, work) {
    const { conditions = {}, seed } = request, { state } = this, former = this.fill ? state.canvas : null, rng = { seed: seed ?? Math.floor(Math.random() * 2 ** 31), index: 0 };
    const canvas = { ...hole, conditions, model: id, details: /** @type {Api.ModelDetails} */ (details), settings: settingsFrom(request), rng };
    let begin = () => {};
    const begun = new Promise((/** @type {(value?: undefined) => void} */ resolve) => (begin = resolve));
    const done = this.painter.paintAround([canvas], work, () => {
      begin();
      state.live = true;
      if (former) this.#exchange(former, canvas);
      else state.replace(canvas);
      this.painter.playback.start();
    }).then(() => {
      if (state.canvas === canvas) this.painter.playback.seek(Infinity); // the others need the processor, and no frames
    });
    return { canvas, begun, done };
  }

  /** Apply another candidate. @param {number} index */
  async choose(index) {
    const { fill } = this;
    if (!fill || !this.state.canvas) return;
    this.#exchange(this.state.canvas, fill.canvases[index]);
    const traced = await this.#traced(fill, index);
    if (this.state.canvas === fill.canvases[index]) this.#exchange(fill.canvases[index], traced);
    fill.canvases[index] = traced;
    this.state.changed();
  }

  /** @param {Canvas} from @param {Canvas} to */
  #exchange(from, to) {
    this.state.exchange(from, to);
    this.painter.exchangeInGallery(from, to);
    this.state.at = this.state.arrived;
  }

  /** Add the order in which the hole was filled, with its bits, and the manifest. @param {Fill} fill @param {number} index @returns {Promise<Canvas>} */
  async #traced({ hole, result, canvases }, index) {
    const canvas = canvases[index];
    const candidate = result.candidates.find(({ number }) => number === canvas.rng?.index);
    if (canvas.trace || !candidate) return canvas;
    try {
      const maps = await this.server.ask(canvas.model, "score", { levels: candidate.image.levels, conditions: canvas.conditions, order: canvas.settings.order });
      const parts = traceImage(canvas.details, canvas.levels, maps, hole.known);
      const { manifest } = result;
      Object.assign(parts.trace, { painted: candidate.image, manifest: { ...manifest, request: { ...manifest.request, pick: candidate.number }, sha256: [candidate.image.sha256] } });
      return { ...canvas, ...parts };
    } catch {
      return canvas; // larger than the images of a model of fixed size: it has no likelihood as a whole
    }
  }

  /** Return the model to fill with: the selected one, if it paints such images. @param {Canvas} hole */
  #model(hole) {
    const { model } = this.state;
    return model?.details && sameGrid(model.details.image, hole.details.image) ? model : this.state.modelOf(hole);
  }

  /** @param {Canvas} hole @param {Api.ConditionValues} conditions @returns {Api.FillRequest} */
  #request(hole, conditions) {
    const { guidance, temperature, top_p, order, seed } = this.state.request;
    const size = [hole.height, hole.width];
    const start = { levels: encodeArray(hole.levels, [hole.details.image.channels, ...size]), known: encodeArray(hole.known, size) };
    const allowed = hole.allowed.map(({ region, levels }) => ({ region: encodeArray(region, size), levels }));
    const again = this.fill && seed !== null ? this.fill.result.seed + 1 : seed;
    return { start, conditions, guidance, temperature, top_p, order, seed: again, allowed };
  }

  /** @param {Canvas} hole @param {Api.FillResult} result @param {Api.ConditionValues} conditions @param {Canvas | null} live the first candidate, if it is shown already */
  async #show(hole, result, conditions, live) {
    const { state } = this;
    const model = this.#model(hole);
    const hashes = result.candidates.map(({ image }) => image.sha256);
    const distinct = result.candidates.filter(({ image }, i) => hashes.indexOf(image.sha256) === i);
    /** @type {Canvas[]} */
    const canvases = distinct.map(({ image, bits, number }) => ({
      ...withImage(hole, decodeArray(image.levels), new Uint8Array(hole.known.length).fill(1)), conditions, ...(model?.details && { model: model.id, details: model.details }),
      settings: { ...settingsFrom(result.manifest.request), order: result.order }, rng: { seed: result.seed, index: number }, filled: { method: result.method, bits },
    }));
    const counts = distinct.map(({ image }) => hashes.filter((hash) => hash === image.sha256).length);
    const former = this.fill ? state.canvas : live;
    const fill = { hole, result, canvases, counts };
    canvases[0] = await this.#traced(fill, 0);
    const [first] = canvases;
    state.fill = fill;
    if (former) this.#exchange(former, first);
    else state.replace(first);
    if (!state.gallery.some((item) => item.canvas === first)) this.painter.addToGallery([first]);
    state.selection = null;
  }
}

/** Return a canvas whose hole includes the selection. @param {Canvas} canvas @param {Uint8Array | null} selection */
export function holeOf(canvas, selection) {
  const image = visibleImage(canvas);
  const known = image.known.map((one, pixel) => (selection?.[pixel] ? 0 : one));
  return withImage(canvas, image.levels.map((level, i) => (known[i % known.length] ? level : 0)), known);
}
