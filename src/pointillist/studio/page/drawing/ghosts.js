// Ghosts: while one draws, completions of the drawing appear faintly in what is not drawn yet. Tab takes the one that is shown.
// A model whose completions take too long shows none.

import { html, numberOf, setText, updateChildren } from "../shared/dom.js";
import { hasHole, sameGrid, settingsFrom } from "../canvas/canvas_model.js";
import { pictureOf } from "../canvas/draw_image.js";
import { conditionsOf } from "../state/paint_jobs.js";
import { isDrawingTool } from "./strokes.js";

/** @typedef {{canvases: Canvas[], chosen: number, levels: Canvas["levels"], step: number}} Ghost completions of a drawing, at a step of its stroke */

const COUNT = 3;
const TOO_LONG = 1500; // milliseconds of completions that come too late to draw by
const CHANCES = 4; // times that this is measured at least

export class Ghosts {
  /** @param {State} state @param {import("../transport/painter.js").Painter} painter */
  constructor(state, painter) {
    this.state = state;
    this.painter = painter;
    this.completed = ""; // the drawing that was completed last
    /** @type {AbortController | null} of the completions that are under way */
    this.stop = null;
    /** @type {Canvas["levels"] | null} the drawing whose completions were put away */
    this.dismissed = null;
    /** @type {Map<string, number[]>} milliseconds that the first completion of a drawing took, by model */
    this.times = new Map();
    this.box = html("input", { type: "checkbox", title: "Completions appear faintly while you draw; Tab takes one", onchange: () => this.#switch() });
    this.note = html("span", { className: "note", role: "status" });
    this.list = html("span", { className: "ghost-list", role: "group", "aria-label": "Completions" });
    this.el = html("span", { className: "ghosts row" }, html("label", { className: "check" }, this.box, "Ghosts, taken by Tab"), this.list, this.note);
  }

  /** Ask for completions of what is drawn, where it changed. */
  update() {
    const { state } = this, { canvas, ghost } = state, model = this.#model;
    this.box.checked = state.ghosts;
    const times = this.times.get(model?.id ?? "") ?? [], slow = times.length >= CHANCES && Math.min(...times) > TOO_LONG;
    const wanted = canvas && state.ghosts && !slow && !state.work && !state.padInHand && isDrawingTool(state.tool) && model && hasHole(canvas) && canvas.known.includes(1);
    setText(this.note, slow ? "This model takes too long to complete a drawing while you draw." : state.ghost && !state.stroke ? "A completion is shown: Tab takes it, Escape puts it away." : "");
    this.note.classList.toggle("spoken", !slow); // a line that comes and goes would move the canvas
    if (!wanted || this.dismissed === canvas.levels) {
      this.stop?.abort();
      this.completed = "";
      state.ghost = null;
    } else if (!this.stop && this.#nameOf(canvas) !== this.completed) void this.#ask(canvas, model);
    const shown = state.ghost;
    updateChildren(this.list, shown ? `${numberOf(shown.levels)},${shown.step},${shown.canvases.length}` : "", () => (shown ? shown.canvases.map((one, i) => this.#button(one, i)) : []));
    if (ghost !== state.ghost) state.changed();
  }

  /** Take a completion: the one that is shown. @param {number} [index] */
  take(index = this.state.ghost?.chosen ?? 0) {
    const { state } = this, { ghost, canvas } = state;
    if (!ghost || !canvas || state.stroke || ghost.levels !== canvas.levels || ghost.step !== 0) return;
    const taken = ghost.canvases[index];
    state.ghost = null;
    state.replace(taken);
    this.painter.addToGallery([taken]);
    state.changed();
  }

  /** Put the completions away, until something is drawn. */
  dismiss() {
    this.dismissed = this.state.canvas?.levels ?? null;
    this.state.changed();
  }

  /** The selected model, if it paints such images. */
  get #model() {
    const { canvas, model } = this.state;
    return canvas && model?.details && sameGrid(model.details.image, canvas.details.image) ? model : null;
  }

  #switch() {
    this.state.ghosts = this.box.checked;
    this.dismissed = null;
    this.state.changed();
  }

  /** Name a drawing, and what it is completed by. @param {Canvas} canvas */
  #nameOf(canvas) {
    const { request: { guidance, temperature, top_p, seed, order, text, label }, stroke, modelId } = this.state;
    return [numberOf(canvas.levels), stroke, modelId, guidance, temperature, top_p, seed, order, text, label].join();
  }

  /** @param {Canvas} drawn @param {Api.ModelInfo} model */
  async #ask(drawn, { id, details: offered }) {
    const { state } = this, details = /** @type {Api.ModelDetails} */ (offered), { guidance, temperature, top_p, order, seed } = state.request;
    const step = state.stroke, began = performance.now(), stop = new AbortController();
    const base = { ...drawn, levels: drawn.levels.slice(), known: drawn.known.slice(), trace: null, verdict: null, model: id, details, settings: settingsFrom({ guidance, temperature, top_p, order }), conditions: conditionsOf(state.request, details.conditions) };
    const canvases = Array.from({ length: COUNT }, (_, index) => ({ ...base, rng: { seed: seed ?? this.painter.liveSeed, index } }));
    this.completed = this.#nameOf(drawn);
    this.stop = stop;
    try {
      for (const part of [canvases.slice(0, 1), canvases.slice(1)]) { // the first alone, so that it is there soon
        await this.painter.paintAround(part, { waiting: null, stop });
        if (stop.signal.aborted) return;
        if (part.includes(canvases[0])) this.times.set(id, [...(this.times.get(id) ?? []), performance.now() - began]);
        const shown = part.includes(canvases[0]) ? part : canvases;
        state.ghost = { canvases: shown, chosen: Math.min(state.ghost?.chosen ?? 0, shown.length - 1), levels: drawn.levels, step };
        state.changed();
        if (state.stroke !== step) return; // something was drawn meanwhile
      }
    } catch {
      // of no model that completes drawings of this size; Paint says what is wrong
    } finally {
      this.stop = null;
      state.changed();
    }
  }

  /** @param {Canvas} canvas @param {number} index */
  #button(canvas, index) {
    const { state } = this;
    const show = () => {
      if (!state.ghost || state.ghost.chosen === index) return;
      for (const [i, one] of [...this.list.children].entries()) one.classList.toggle("chosen", i === index);
      state.ghost.chosen = index;
      state.changed();
    };
    return html("button", { type: "button", className: state.ghost?.chosen === index ? "chosen" : "", title: "Take this completion", "aria-label": `Take completion ${index + 1} of ${COUNT}`, onclick: () => this.take(index), onpointerenter: show, onfocus: show }, pictureOf(canvas));
  }
}
