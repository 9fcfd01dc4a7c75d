// Pointer and keyboard on a canvas: inspect, hold, draw, select, move.

import { visibleImage, withImage } from "../canvas/canvas_model.js";
import { isSelectionTool, MoveStroke, SelectionStroke } from "./selecting.js";
import { isDrawingTool, Stroke } from "./strokes.js";

/** @typedef {{to: (pixel: number) => void, end: () => void}} Drag what the pointer does until it is released */

export class PointerTools {
  /** @param {State} state @param {import("../canvas/playback.js").Playback} playback */
  constructor(state, playback) {
    this.state = state;
    this.playback = playback;
    /** @type {Drag | null} */
    this.drag = null;
    /** @type {(() => void) | null} undoes the last press */
    this.undo = null;
    this.suspended = false;
  }

  /** Undo the last press, and ignore the pointer until `resume`: fingers zoom. */
  suspend() {
    if (!this.suspended) this.undo?.();
    this.undo = this.drag = this.state.hover = null;
    this.suspended = true;
    this.state.stroke = 0;
    this.state.changed();
  }

  resume() {
    this.suspended = false;
  }

  /** Handle a pointer event. @param {number} index of the canvas @param {number | null} pixel @param {PointerEvent} event */
  pointer(index, pixel, event) {
    const { state } = this;
    if (this.suspended || !event.isPrimary) return; // a second finger draws nothing
    if (event.type === "pointerdown") {
      const { heldPixel, view, at, history, selection } = state;
      const { past, now, future } = history;
      this.undo = () => {
        Object.assign(history, { past, now, future });
        Object.assign(state, { heldPixel, view, at, selection });
      };
      state.activate(index);
      if (event.button === 0 && pixel !== null) this.#down(pixel, event);
    } else if (event.type === "pointermove") this.#move(index, pixel);
    else if (event.type === "pointerleave") this.hover(index, null);
    else this.endDrag();
  }

  /** @param {number} pixel @param {PointerEvent} event */
  #down(pixel, event) {
    const { state } = this;
    if (state.tool === "inspect") return this.hold(pixel);
    if (event.altKey) return this.pick(pixel);
    if (event.target instanceof Element) event.target.setPointerCapture(event.pointerId);
    this.#begin(pixel);
  }

  /** @param {number} index @param {number | null} pixel */
  #move(index, pixel) {
    if (!this.drag) return this.hover(index, pixel);
    if (pixel === null) return;
    this.drag.to(pixel);
    this.state.stroke++;
    this.state.hover = { index: this.state.active, pixel };
    this.state.changed();
  }

  /** @param {number} index @param {number | null} pixel */
  hover(index, pixel) {
    const { hover } = this.state;
    if (pixel === (hover?.pixel ?? null) && (pixel === null || index === hover?.index)) return;
    this.state.hover = pixel === null ? null : { index, pixel };
    this.state.changed();
  }

  /** Hold a pixel, or release it. @param {number} pixel */
  hold(pixel) {
    const { state } = this;
    const channels = state.canvas?.details.image.channels ?? 1;
    if (state.playing) this.playback.pause();
    const same = state.heldPixel?.pixel === pixel;
    state.heldPixel = same ? null : { pixel, choice: Array(channels).fill(null) };
    if (same && (state.view === "saliency" || state.view === "shift")) state.view = "image";
    state.changed();
  }

  /** Set the pencil to the levels of a pixel. @param {number} pixel */
  pick(pixel) {
    const { canvas, at } = this.state;
    if (!canvas) return;
    const image = visibleImage(canvas, at);
    if (!image.known[pixel]) return;
    const size = image.known.length;
    this.state.takeInk(this.state.ink.map((_, c) => image.levels[c * size + pixel]));
  }

  /** Apply the tool to one pixel: for the keyboard. @param {number} pixel */
  drawPixel(pixel) {
    this.#begin(pixel);
    this.endDrag();
  }

  /** @param {number} pixel */
  #begin(pixel) {
    const { state } = this;
    if (!state.canvas) return;
    if (isDrawingTool(state.tool)) this.drag = this.#draw(state.canvas, pixel, state.tool);
    else if (isSelectionTool(state.tool)) this.drag = this.#select(state.canvas, pixel, state.tool);
    else if (state.tool === "move") this.drag = this.#carry(state.canvas, pixel);
    state.stroke++;
    state.hover = { index: state.active, pixel };
    state.changed();
  }

  /** End what the pointer does: makes a new canvas, so that results for the unfinished stroke are not reused. */
  endDrag() {
    const { state, drag } = this;
    if (!drag) return;
    this.drag = null;
    state.stroke = 0;
    drag.end();
    state.changed();
  }

  /** @param {Canvas} before @param {number} pixel @param {import("./strokes.js").DrawingTool} tool @returns {Drag} */
  #draw(before, pixel, tool) {
    this.state.padInHand = false;
    const { state } = this;
    const { levels, known } = visibleImage(before, state.at);
    const canvas = withImage(before, levels.slice(), known.slice());
    state.replace(canvas);
    const { brush, mirror, filled } = state;
    const stroke = new Stroke(canvas, canvas, { tool, ink: tool === "eraser" ? null : state.ink, brush, mirror, filled, within: state.selection }, pixel);
    return { to: (next) => stroke.to(next), end: () => state.exchange(canvas, { ...canvas }) };
  }

  /** @param {Canvas} canvas @param {number} pixel @param {import("./selecting.js").SelectionTool} tool @returns {Drag} */
  #select(canvas, pixel, tool) {
    const { state } = this;
    const stroke = new SelectionStroke(tool, canvas, pixel);
    const single = stroke.mask.reduce((sum, one) => sum + one, 0) === 1;
    state.selection = stroke.mask;
    let moved = false;
    const to = (/** @type {number} */ next) => {
      moved ||= next !== pixel;
      stroke.to(next);
      state.selection = stroke.mask;
    };
    // a click with the rectangle or the lasso selects nothing
    const end = () => { if (!moved && single && tool !== "wand") state.selection = null; };
    return { to, end };
  }

  /** @param {Canvas} before @param {number} pixel @returns {Drag} */
  #carry(before, pixel) {
    const { state } = this;
    const stroke = new MoveStroke(before, state.selection, pixel);
    const had = state.selection !== null;
    let shown = withImage(before, visibleImage(before).levels, visibleImage(before).known);
    state.replace(shown);
    const to = (/** @type {number} */ next) => {
      const { canvas, mask } = stroke.at(next);
      state.exchange(shown, canvas);
      shown = canvas;
      if (had) state.selection = mask;
    };
    return { to, end: () => {} };
  }
}
