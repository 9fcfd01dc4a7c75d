// The pad on which a hint is drawn, beside the canvases. Each stroke can paint the image again.

import { decodeArray, encodeArray } from "../transport/encoded_arrays.js";
import { html, setText } from "../shared/dom.js";
import { fill } from "../shared/fill.js";
import { colourOf } from "../shared/colour.js";
import { ARROWS } from "../widgets/keys.js";
import { isOfNumbers } from "../transport/numeric_hints.js";
import { pixelAt } from "./shapes.js";
import { isDrawingTool, Stroke } from "./strokes.js";

/** Return the image of a model's hint if it can be drawn, else null. @param {Api.ModelDetails | null} details */
export function drawableHint(details) {
  const hint = details?.conditions.hint;
  return hint?.image && !isOfNumbers(hint) ? hint.image : null;
}

/**
 * Draw a hint on an HTML canvas.
 * @param {HTMLCanvasElement} element @param {Api.ImageKind} kind @param {Levels} levels lines, which are level 1 of 2, are shown black on white
 */
export function drawHint(element, kind, levels) {
  const size = kind.height * kind.width;
  fill(element, kind.height, kind.width, (row, column) => {
    const colour = colourOf(kind, Array.from({ length: kind.channels }, (_, c) => levels[c * size + row * kind.width + column]));
    return kind.levels === 2 ? colour.map((part, k) => (k < 3 ? 255 - part : part)) : colour;
  });
}

export class HintPad {
  /** @param {State} state @param {import("../transport/painter.js").Painter} painter */
  constructor(state, painter) {
    this.state = state;
    this.painter = painter;
    this.image = html("canvas", { className: "hint-image", tabIndex: 0, role: "application" });
    this.cursor = html("div", { className: "mark hover", hidden: true });
    this.frame = html("div", { className: "frame pad" }, this.image, this.cursor);
    this.caption = html("p", { className: "caption" });
    const ink = (/** @type {0 | 1} */ level, /** @type {string} */ name, /** @type {string} */ title) =>
      html("button", { type: "button", title, onclick: () => this.#take(level) }, html("i", { className: `shade ${name.toLowerCase()}` }), name);
    this.inks = [ink(1, "Line", "The pencil draws lines"), ink(0, "Ground", "The pencil takes lines away")];
    this.levels = html("div", { className: "hint-inks", role: "group", "aria-label": "Pencil of the hint" }, ...this.inks);
    this.el = html("div", { className: "canvas-view hint-view", hidden: true }, this.frame, html("div", { className: "hint-row" }, this.caption, this.levels));
    /** @type {{stroke: Stroke, levels: Levels} | null} */
    this.drag = null;
    this.at = 0; // the pixel under the cursor of the keyboard
    this.image.addEventListener("pointerdown", (event) => {
      const pixel = this.#pixel(event);
      if (event.button !== 0 || pixel === null) return;
      this.image.setPointerCapture(event.pointerId);
      this.#begin(pixel);
    });
    this.image.addEventListener("pointermove", (event) => {
      const pixel = this.#pixel(event);
      if (this.drag && pixel !== null) this.#to(pixel);
    });
    for (const kind of ["pointerup", "pointercancel"]) this.image.addEventListener(kind, () => this.#end());
    this.image.addEventListener("keydown", (event) => this.#key(event));
    this.image.addEventListener("blur", () => (this.cursor.hidden = true));
  }

  /** The kind of image that is drawn, or null. */
  get kind() {
    return drawableHint(this.state.details);
  }

  /** Take a pencil of two levels in hand. @param {0 | 1} level */
  #take(level) {
    const { state } = this;
    Object.assign(state, { hintInk: level, padInHand: true });
    if (!isDrawingTool(state.tool) || state.tool === "eraser") state.tool = "pencil";
    state.changed();
  }

  /** @param {number} width in screen pixels */
  update(width) {
    const { kind, state } = this;
    this.el.hidden = !kind;
    if (!kind) return;
    const height = (width * kind.height) / kind.width;
    Object.assign(this.frame.style, { width: `${width}px`, height: `${height}px` });
    this.frame.style.setProperty("--scale", `${width / kind.width}px`);
    const levels = this.drag?.levels ?? this.#levels(kind);
    drawHint(this.image, kind, levels);
    this.levels.hidden = kind.levels !== 2;
    const level = state.tool === "eraser" ? 0 : state.hintInk;
    this.inks.forEach((button, i) => button.setAttribute("aria-pressed", String(level === 1 - i)));
    const blank = !state.request.hint && !this.drag;
    setText(this.caption, blank ? "Draw the hint here" : "Hint");
    const name = `Hint, ${kind.height} by ${kind.width} pixels. Draw with the pointer, or with the arrow keys and Enter.`;
    if (this.image.getAttribute("aria-label") !== name) this.image.setAttribute("aria-label", name);
    Object.assign(this.cursor.style, { left: `${((this.at % kind.width) * width) / kind.width}px`, top: `${(Math.floor(this.at / kind.width) * width) / kind.width}px`, width: "var(--scale)", height: "var(--scale)" });
  }

  /** @param {Api.ImageKind} kind @returns {Levels} */
  #levels({ channels, height, width, dtype }) {
    const encoded = this.state.request.hint?.levels;
    if (encoded && encoded.shape.join() === [channels, height, width].join()) return decodeArray(encoded);
    return dtype === "uint8" ? new Uint8Array(channels * height * width) : new Uint16Array(channels * height * width);
  }

  /** @param {PointerEvent} event */
  #pixel(event) {
    return this.kind && pixelAt(this.image, event, this.kind);
  }

  /** @param {number} pixel */
  #begin(pixel) {
    const { kind, state } = this;
    if (!kind) return;
    const levels = this.#levels(kind);
    const tool = isDrawingTool(state.tool) ? state.tool : "pencil";
    state.padInHand = true;
    const ink = Array(kind.channels).fill(tool === "eraser" || (kind.levels === 2 && !state.hintInk) ? 0 : kind.levels - 1);
    const own = tool !== "eraser" && kind.levels > 2 && state.ink.length === kind.channels && state.ink.every((level) => level < kind.levels) ? state.ink : ink;
    const { brush, mirror, filled } = state;
    const image = { levels, known: new Uint8Array(kind.height * kind.width).fill(1) };
    this.drag = { levels, stroke: new Stroke(image, kind, { tool: tool === "eraser" ? "pencil" : tool, ink: own, brush, mirror, filled, within: null }, pixel) };
    state.changed();
  }

  /** @param {number} pixel */
  #to(pixel) {
    this.drag?.stroke.to(pixel);
    this.state.changed();
  }

  #end() {
    const { drag, kind } = this;
    this.drag = null;
    if (!drag || !kind) return;
    const isBlank = !drag.levels.some((level) => level !== 0);
    this.state.setHint(isBlank ? null : { levels: encodeArray(drag.levels, [kind.channels, kind.height, kind.width]), name: "drawn" });
    if (this.state.paintWhileDrawing && !isBlank) this.painter.paintLive();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { kind } = this;
    const arrow = ARROWS[event.key];
    if (!kind || event.ctrlKey || event.metaKey || event.altKey || (!arrow && event.key !== "Enter")) return;
    event.preventDefault();
    event.stopPropagation();
    if (arrow) {
      const row = Math.floor(this.at / kind.width) + arrow[0];
      const column = (this.at % kind.width) + arrow[1];
      if (row >= 0 && column >= 0 && row < kind.height && column < kind.width) this.at = row * kind.width + column;
    }
    this.cursor.hidden = false;
    if (!arrow || event.shiftKey) {
      this.#begin(this.at);
      this.#end();
    }
    this.state.changed();
  }
}
