// Filling: candidates for the unknown or selected pixels of the active canvas, of which one is applied.

import { decodeLevels, encodeArray } from "./encoded_arrays.js";
import { conditionsOf } from "../state/paint_jobs.js";
import { isStopped, sameGrid, visibleImage, withImage } from "../canvas/canvas_model.js";
import { isAbort } from "./api.js";

/** @typedef {import("../state/state.js").State} State */
/** @typedef {import("../canvas/canvas_model.js").Canvas} Canvas */
/** @typedef {{hole: Canvas, result: Api.FillResult, canvases: Canvas[]}} Fill candidates, and the canvas with the hole */

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

  /** The candidates of the active canvas, or null. */
  get fill() {
    const { fill, canvas } = this.state;
    return fill && canvas && fill.canvases.includes(canvas) ? fill : null;
  }

  /** Fill the active canvas, or the hole from which its candidates came once more. */
  async start() {
    const { state } = this;
    if (!state.canvas) return;
    const hole = this.fill?.hole ?? holeOf(state.canvas, state.selection);
    const model = this.#model(hole);
    if (!model?.details) return state.notify("error", `The canvas was painted by ${hole.model}, which is not open here.`);
    this.painter.stop();
    const work = { waiting: null, stop: new AbortController() };
    state.work = work;
    state.notice = null;
    state.changed();
    try {
      const conditions = conditionsOf(state.request, model.details.conditions);
      const result = await this.server.fill(model.id, this.#request(hole, conditions), work.stop.signal);
      this.#show(hole, result, conditions);
    } catch (error) {
      if (!isAbort(error)) state.notify("error", error instanceof Error ? error.message : String(error));
    } finally {
      if (state.work === work) state.work = null;
      state.changed();
    }
  }

  /** Apply another candidate. @param {number} index */
  choose(index) {
    const { fill } = this;
    const { canvas } = this.state;
    if (!fill || !canvas) return;
    this.state.exchange(canvas, fill.canvases[index]);
    this.painter.exchangeInGallery(canvas, fill.canvases[index]);
    this.state.changed();
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
    return { start, conditions, guidance, temperature, top_p, order, seed: again, allowed, method: this.state.fillMethod };
  }

  /** @param {Canvas} hole @param {Api.FillResult} result @param {Api.ConditionValues} conditions */
  #show(hole, result, conditions) {
    const { state } = this;
    const { guidance, temperature, top_p } = state.request;
    const canvases = result.candidates.map((one) => ({
      ...withImage(hole, decodeLevels(one.levels), new Uint8Array(hole.known.length).fill(1)), conditions,
      settings: { guidance, temperature, top_p, order: result.order }, rng: { seed: result.seed, index: one.number }, filled: { method: result.method, bits: one.bits },
    }));
    const [first] = canvases;
    const former = this.fill ? state.canvas : null;
    state.fill = { hole, result, canvases };
    if (former) {
      state.exchange(former, first);
      this.painter.exchangeInGallery(former, first);
    } else {
      state.replace(first);
      this.painter.addToGallery([first]);
    }
    state.selection = null;
  }
}

/** Return a canvas whose hole includes the selection. @param {Canvas} canvas @param {Uint8Array | null} selection */
export function holeOf(canvas, selection) {
  const image = visibleImage(canvas);
  const known = image.known.map((one, pixel) => (selection?.[pixel] ? 0 : one));
  return withImage(canvas, image.levels.map((level, i) => (known[i % known.length] ? level : 0)), known);
}
