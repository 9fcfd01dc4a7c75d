// Watches a training run: its curves, and the same canvas painted by each of its checkpoints.

import { holdsAnything, sameGrid } from "../canvas/canvas_model.js";

/** @typedef {{step: number, canvas: Canvas}} Repaint a canvas, and the step of the checkpoint that painted it */
/** @typedef {{state: Api.RunState, repaints: Repaint[], follow: boolean}} WatchedRun `repaints`: the oldest first; `follow`: show the newest one on the stage */

const INTERVAL = 2000; // milliseconds between requests
const MAX_REPAINTS = 48;

export class Training {
  /** @param {State} state @param {import("../transport/api.js").Server} server @param {import("../transport/painter.js").Painter} painter @param {() => Promise<unknown>} refresh brings the models up to date */
  constructor(state, server, painter, refresh) {
    this.state = state;
    this.server = server;
    this.painter = painter;
    this.refresh = refresh;
    this.seed = Math.floor(Math.random() * 2 ** 31); // the same for all checkpoints
    this.watching = false;
  }

  /** Begin to watch, once. */
  watch() {
    if (this.watching) return;
    this.watching = true;
    void this.#watch();
  }

  async #watch() {
    for (;;) {
      if (!document.hidden) await this.#look();
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    }
  }

  async #look() {
    const { state } = this;
    try {
      const found = await this.server.run();
      const { repaints, follow } = state.run ?? { repaints: [], follow: true };
      state.run = { state: found, repaints, follow };
      state.changed();
      if (found.checkpoint !== null && repaints.at(-1)?.step !== found.checkpoint) await this.#repaint(found.checkpoint);
    } catch (error) {
      console.warn(error); // the studio went away, or was loading the next checkpoint: the next look tells
    }
  }

  /** Paint the canvas with the newest checkpoint. @param {number} step */
  async #repaint(step) {
    const { state } = this;
    await this.refresh();
    const model = state.models.find((one) => one.id === state.run?.state.model);
    if (!model?.details || !state.run) return;
    const request = model.id === state.modelId ? state.request : { ...state.request, label: null, text: "", hint: null };
    const canvas = await this.painter.paintAside(request, model, state.request.seed ?? this.seed);
    const before = state.run.repaints;
    const isNewest = before.length === 0 || state.canvas === before.at(-1)?.canvas;
    state.run = { ...state.run, repaints: thinned([...before, { step, canvas }]) };
    const idle = !state.work && !state.heldPixel && !state.stroke && state.canvases.length === 1 && model.id === state.modelId;
    if (state.run.follow && idle && (isNewest || !state.canvas || !holdsAnything(state.canvas))) state.showLive([canvas]);
    state.changed();
  }
}

/** Give canvases that no model has painted the details of a model that was loaded again. @param {State} state @param {Api.ModelInfo} former */
export function adoptReloaded(state, former) {
  const details = state.models.find((model) => model.id === former.id)?.details;
  const old = former.details;
  if (!old || !details || old.sha256 === details.sha256 || !sameGrid(old.image, details.image)) return;
  const canvases = state.canvases.map((canvas) => (canvas.trace === null && canvas.details.sha256 === old.sha256 ? { ...canvas, details } : canvas));
  state.history.now = { ...state.history.now, canvases };
}

/** Leave out every second repaint if there are too many; the newest stays. @param {Repaint[]} repaints */
const thinned = (repaints) => (repaints.length > MAX_REPAINTS ? repaints.filter((_, i) => (repaints.length - 1 - i) % 2 === 0) : repaints);
