// Pointer and keyboard on a canvas: inspect, hold, draw, erase.

import { withImage, visibleImage } from "./canvas_model.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./canvas_model.js").Canvas} Canvas */

export class PointerTools {
  /** @param {State} state @param {import("./playback.js").Playback} playback */
  constructor(state, playback) {
    this.state = state;
    this.playback = playback;
    /** @type {{canvas: Canvas, last: number} | null} the current stroke */
    this.stroke = null;
    /** @type {(() => void) | null} undoes the last press */
    this.undo = null;
    this.suspended = false;
  }

  /** Undo the last press, and ignore the pointer until `resume`: fingers zoom. */
  suspend() {
    if (!this.suspended) this.undo?.();
    this.undo = this.stroke = this.state.hover = null;
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
      const { heldPixel, view, at, history } = state;
      const { past, now, future } = history;
      this.undo = () => {
        Object.assign(history, { past, now, future });
        Object.assign(state, { heldPixel, view, at });
      };
      state.activate(index);
      if (event.button === 0 && pixel !== null) this.#down(pixel, event);
    } else if (event.type === "pointermove") this.#move(index, pixel);
    else if (event.type === "pointerleave") this.hover(index, null);
    else this.endStroke();
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
    if (this.stroke) {
      if (pixel !== null) this.#line(pixel);
    } else this.hover(index, pixel);
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
    this.state.ink = this.state.ink.map((_, c) => image.levels[c * size + pixel]);
    this.state.changed();
  }

  /** Apply pencil or eraser to one pixel: for the keyboard. @param {number} pixel */
  drawPixel(pixel) {
    this.#begin(pixel);
    this.endStroke();
  }

  /** @param {number} pixel */
  #begin(pixel) {
    const { state } = this;
    if (!state.canvas) return;
    const { levels, known } = visibleImage(state.canvas, state.at);
    const canvas = withImage(state.canvas, levels.slice(), known.slice());
    state.replace(canvas);
    this.stroke = { canvas, last: pixel };
    this.#line(pixel);
  }

  /** End the stroke: makes a new canvas, so that results for the unfinished stroke are not reused. */
  endStroke() {
    const { state, stroke } = this;
    if (!stroke) return;
    this.stroke = null;
    state.stroke = 0;
    const canvases = state.canvases.map((canvas) => (canvas === stroke.canvas ? { ...canvas } : canvas));
    state.history.now = { ...state.history.now, canvases };
    state.changed();
  }

  /** Draw from the last pixel of the stroke to this one. @param {number} pixel */
  #line(pixel) {
    const { state, stroke } = this;
    if (!stroke) return;
    const { width } = stroke.canvas;
    const [fromRow, fromColumn] = [Math.floor(stroke.last / width), stroke.last % width];
    const [down, across] = [Math.floor(pixel / width) - fromRow, (pixel % width) - fromColumn];
    const steps = Math.max(1, Math.abs(down), Math.abs(across));
    for (let i = 0; i <= steps; i++)
      this.#dot(Math.round(fromRow + (down * i) / steps), Math.round(fromColumn + (across * i) / steps), stroke.canvas);
    stroke.last = pixel;
    state.stroke++;
    state.hover = { index: state.active, pixel };
    state.changed();
  }

  /** @param {number} row @param {number} column @param {Canvas} canvas */
  #dot(row, column, canvas) {
    const { brush, tool, ink } = this.state;
    const size = canvas.known.length;
    const from = -Math.floor((brush - 1) / 2);
    for (let r = row + from; r < row + from + brush; r++)
      for (let c = column + from; c < column + from + brush; c++) {
        if (r < 0 || c < 0 || r >= canvas.height || c >= canvas.width) continue;
        const pixel = r * canvas.width + c;
        canvas.known[pixel] = tool === "pencil" ? 1 : 0;
        ink.forEach((level, channel) => (canvas.levels[channel * size + pixel] = tool === "pencil" ? level : 0));
      }
  }
}
