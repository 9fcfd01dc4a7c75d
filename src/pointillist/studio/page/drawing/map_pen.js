// The pen of an endless map: cells are drawn in the map itself, or left to the model, and the model draws the cells around them again,
// given the rest of the map and what was drawn by hand. The same strokes on the same map give the same map.

import { formatBits, html, setText } from "../shared/dom.js";
import { cellOf } from "../state/map_edits.js";
import { decodeArray, encodeArray } from "../transport/encoded_arrays.js";
import { InkPicker } from "./ink_picker.js";
import { line } from "./shapes.js";

/** @typedef {[number, number]} Cell row and column */
/** @typedef {{declared: import("../state/world_map.js").Declared, cells: Map<string, Cell>, ink: number | null, keep: Cell[]}} MapStroke `ink`: null leaves the cells to the model; `keep`: cells that do not heal */

const LABEL = "window"; // of the maps of a world, where a model has labels
const NEAR = 3; // cells around a stroke that heal
const FRAMES = 12, FRAME = 70; // in which healed cells appear, and milliseconds of each
const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const WAIT = 100, PATIENCE = 600; // milliseconds between looks whether the map around a stroke is there, and looks

export class MapPen {
  /** @param {State} state @param {import("../transport/api.js").Server} server @param {import("../state/world_map.js").WorldMap} map @param {() => void} changed called when the map is to be drawn again */
  constructor(state, server, map, changed) {
    this.state = state;
    this.server = server;
    this.map = map;
    this.changed = changed;
    this.on = false;
    this.message = "";
    this.steps = /** @type {import("../state/map_edits.js").MapEdits[]} */ ([]);
    this.stroke = /** @type {MapStroke | null} */ (null);
    /** @type {Promise<void>} one after the other, in the order of the strokes */
    this.healing = Promise.resolve();
    this.inks = new InkPicker(state);
    this.eraser = html("button", { type: "button", title: "Leave cells to the model", "aria-pressed": "false", onclick: () => this.eraser.setAttribute("aria-pressed", String(this.eraser.ariaPressed !== "true")) }, "Eraser");
    this.undoButton = html("button", { type: "button", title: "Undo the last stroke (Ctrl+Z)", disabled: true, onclick: () => void this.undo() }, "Undo");
    this.el = html("div", { className: "row pen", role: "group", "aria-label": "Cells to draw", hidden: true }, this.inks.el, this.eraser, this.undoButton);
    this.button = html("button", { type: "button", title: "Draw in the map: what is around it heals", "aria-pressed": "false", onclick: () => this.turn(!this.on) }, "Change here");
    state.listeners.push(() => this.on && this.#update());
  }
  /** Begin or end to draw. @param {boolean} on */
  turn(on) {
    this.on = on;
    this.message = on ? "Draw; by keys, Space draws the framed cell" : "";
    this.el.hidden = !on;
    this.button.setAttribute("aria-pressed", String(on));
    setText(this.button, on ? "End changes" : "Change here");
    if (on) this.#update();
    this.changed();
  }
  #update() {
    if (this.state.details) this.inks.update(this.state.details.image);
  }
  /** Begin a stroke. @param {import("../state/world_map.js").Declared} declared @param {Cell} cell @param {number | null} [ink] @param {Cell[]} [keep] */
  begin(declared, cell, ink = this.eraser.ariaPressed === "true" ? null : this.state.ink[0], keep = []) {
    this.steps.push(this.map.holder.mapEdits);
    this.undoButton.disabled = false;
    this.stroke = { declared, cells: new Map(), ink, keep };
    this.last = cell;
    this.to(cell);
  }
  /** Draw on to a cell. @param {Cell} cell */
  to(cell) {
    const { stroke, state, map, last = cell } = this;
    if (!stroke) return;
    const edits = new Map(map.holder.mapEdits);
    for (const [row, column] of line(last, cell)) {
      const name = cellOf(state.modelId, stroke.declared.seed, row, column), edit = edits.get(name);
      stroke.cells.set(name, [row, column]);
      if (stroke.ink !== null) edits.set(name, { level: stroke.ink, byHand: true });
      else if (edit) edits.set(name, { ...edit, byHand: false });
    }
    map.holder.mapEdits = edits;
    this.last = cell;
    this.changed();
  }
  /** End a stroke: the map around it heals, after what heals already. */
  end() {
    const { stroke } = this;
    if (!stroke) return;
    this.stroke = null;
    this.message = "The model draws around it …";
    this.healing = this.healing.then(() => this.#heal(stroke)).catch((error) => void (this.message = error instanceof Error ? error.message : String(error))).finally(() => this.state.changed()).finally(this.changed);
  }
  /** Draw one cell; resolves when the map around it has healed. @param {import("../state/world_map.js").Declared} declared @param {Cell} cell @param {number} [ink] @param {Cell[]} [keep] */
  dot(declared, cell, ink, keep) {
    this.begin(declared, cell, ink, keep);
    this.end();
    return this.healing;
  }
  /** Frame the cell that keys draw. @param {CanvasRenderingContext2D} brush @param {number} size @param {number} column of the view @param {number} row */
  frame(brush, size, column, row) {
    for (const [colour, width] of /** @type {const} */ ([["#000", 4], ["#fff", 2]])) {
      Object.assign(brush, { strokeStyle: colour, lineWidth: width });
      brush.strokeRect(column * size, row * size, size, size);
    }
  }
  /** Undo the last stroke, with what healed around it. */
  async undo() {
    await this.healing;
    const before = this.steps.pop();
    if (!before) return;
    this.map.holder.mapEdits = before;
    this.message = "";
    this.undoButton.disabled = !this.steps.length;
    this.state.changed();
    this.changed();
  }
  /** Heal around the cells of a stroke, window by window. @param {MapStroke} stroke */
  async #heal({ declared, cells, ink, keep }) {
    const { height, width } = /** @type {Api.ModelDetails} */ (this.state.details).image, left = [...cells.values()];
    let count = 0, spent = 0;
    while (left.length) {
      const [[row, column]] = left;
      const inside = (/** @type {Cell} */ [r, c]) => Math.abs(r - row) < height / 2 - NEAR && Math.abs(c - column) < width / 2 - NEAR;
      const part = left.filter(inside);
      left.splice(0, left.length, ...left.filter((cell) => !inside(cell)));
      const { changed, bits } = await this.#fill(declared, part, ink === null, keep, Math.floor(row - height / 2), Math.floor(column - width / 2));
      [count, spent] = [count + changed, spent + bits];
    }
    this.message = `${count} ${count === 1 ? "cell" : "cells"} around it healed, ${formatBits(spent)}`;
  }
  /** Return the levels of a rectangle, once all of them are drawn. @param {import("../state/world_map.js").Declared} declared @param {number} top @param {number} left @param {number} height @param {number} width */
  async #levels(declared, top, left, height, width) {
    for (let looks = 0; looks < PATIENCE; looks++) {
      const levels = this.map.cells(declared, top, left, height, width);
      if (levels) return levels;
      await new Promise((done) => setTimeout(done, WAIT));
    }
    throw new Error("The map around it was not drawn: draw there again in a moment.");
  }
  /** Fill what is around some cells, given the rest of a window; return how many cells changed, and their bits. @param {import("../state/world_map.js").Declared} declared @param {Cell[]} cells @param {boolean} erased @param {Cell[]} keep @param {number} top @param {number} left */
  async #fill(declared, cells, erased, keep, top, left) {
    const { state, map } = this, { modelId } = state, details = /** @type {Api.ModelDetails} */ (state.details), { height, width } = details.image;
    const nameOf = (/** @type {number} */ at) => cellOf(modelId, declared.seed, top + Math.floor(at / width), left + (at % width));
    const levels = await this.#levels(declared, top, left, height, width);
    const known = Uint8Array.from(levels, (_, at) => {
      const [row, column] = [top + Math.floor(at / width), left + (at % width)];
      const far = cells.every(([r, c]) => Math.max(Math.abs(r - row), Math.abs(c - column)) > (erased ? 0 : NEAR));
      return Number(far || map.holder.mapEdits.get(nameOf(at))?.byHand || keep.some(([r, c]) => r === row && c === column));
    });
    if (!known.includes(0)) return { changed: 0, bits: 0 };
    const start = { levels: encodeArray(levels.map((level, at) => (known[at] ? level : 0)), [1, height, width]), known: encodeArray(known, [height, width]) };
    const conditions = details.conditions.labels.includes(LABEL) ? { label: LABEL } : {};
    const { candidates: [{ image, bits }] } = await this.server.ask(modelId, "fill", { start, conditions, candidates: 1, seed: declared.seed });
    const place = (/** @type {number} */ at) => /** @type {const} */ ([declared, top + Math.floor(at / width), left + (at % width)]);
    const after = Array.from(decodeArray(image.levels), (level, at) => ({ level, at })).filter(({ level, at }) => !known[at] && map.level(...place(at)) !== level), each = CALM.matches ? after.length : Math.ceil(after.length / FRAMES);
    for (let from = 0; from < after.length; from += each) { // in the order in which the model drew them
      const edits = new Map(map.holder.mapEdits);
      for (const { level, at } of after.slice(from, from + each)) map.drawn(...place(at)) === level ? edits.delete(nameOf(at)) : edits.set(nameOf(at), { level, byHand: false });
      map.holder.mapEdits = edits;
      this.changed();
      if (from + each < after.length) await new Promise((done) => setTimeout(done, FRAME));
    }
    return { changed: after.length, bits };
  }
}
