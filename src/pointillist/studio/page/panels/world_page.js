// An endless map to walk through: drag it, or use the arrow keys. A part of it can be taken to the canvas, changed there, and put back.
// What was changed lies over the map: it stays when rules change, and nothing else of the map depends on it.

import { blankCanvas, isComplete, visibleImage } from "../canvas/canvas_model.js";
import { drawImage } from "../canvas/draw_image.js";
import { html, setText } from "../shared/dom.js";
import { cellOf, countEdits } from "../state/map_edits.js";
import { walkable } from "../state/map_rules.js";
import { blankLevels, decodeLevels } from "../transport/encoded_arrays.js";

/** @typedef {import("../state/state.js").State} State */
/** @typedef {import("../canvas/canvas_model.js").Canvas} Canvas */
/** @typedef {{row: number, column: number, seed: number, model: string, drawn: Uint8Array | Uint16Array, height: number, width: number}} Taken a part that lies on the canvas, as it was drawn */

const CHUNK = 32; // cells of a request: a side of what the model draws at once
const CELL = 16, SMALL_CELL = 12; // screen pixels of a cell, in wide and in narrow windows
const STEP = 4; // cells of an arrow key
const MOST = 400; // chunks that the page keeps
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowUp: [-STEP, 0], ArrowDown: [STEP, 0], ArrowLeft: [0, -STEP], ArrowRight: [0, STEP] };

export class WorldPage {
  /** @param {State} state @param {import("../transport/api.js").Server} server @param {import("../transport/painter.js").Painter} painter */
  constructor(state, server, painter) {
    this.state = state;
    this.server = server;
    this.painter = painter;
    this.row = 0; // of the middle of the view, in cells
    this.column = 0;
    /** @type {Map<string, {levels: Uint8Array | Uint16Array} | null>} parts by model, seed and place; null while one is drawn */
    this.parts = new Map();
    /** @type {Taken | null} */
    this.taken = null;
    this.seed = html("input", { type: "number", min: "0", max: String(2 ** 53 - 1), step: "1", value: "7", "aria-label": "Seed of the map", onchange: () => this.#moveTo(0, 0) });
    const box = (/** @type {string} */ title) => html("input", { type: "checkbox", title, onchange: () => this.#draw() });
    this.observed = box("Only neighbours that the training maps have");
    this.entered = box("Each part can be entered from all four sides");
    this.place = html("small", { role: "status" });
    this.note = html("p", { className: "note", role: "status" });
    const button = (/** @type {string} */ name, /** @type {string} */ title, /** @type {() => void} */ act) => html("button", { type: "button", title, onclick: act }, name);
    this.picture = html("canvas", { className: "world", tabIndex: 0, role: "application", "aria-label": "The map. Drag it, or move with the arrow keys." });
    this.el = html("dialog", { className: "gallery-page world-page", "aria-label": "Endless map" },
      html("div", { className: "row" }, html("h2", {}, "Endless map"), html("label", { className: "check" }, "Seed", this.seed), button("Other map", "Another seed", () => this.#other()), button("To the start", "Where one begins", () => this.#moveTo(0, 0)), this.place, html("button", { type: "button", className: "close", title: "Back to the canvas", onclick: () => this.el.close() }, "Close")),
      html("div", { className: "row" }, html("button", { type: "button", className: "strong", title: "The middle of the view as a canvas: draw in it, erase and fill; what you change stays in the map", onclick: () => this.#take() }, "Change here"), html("span", { className: "row rules" }, html("label", { className: "check" }, this.observed, "Neighbours as in training"), html("label", { className: "check" }, this.entered, "Passages")), this.note),
      this.picture);
    this.#listen();
  }

  /** Show the map; what was changed on the canvas since a part was taken goes into it. */
  open() {
    this.#putBack();
    this.el.showModal();
    this.picture.focus();
    this.#draw();
  }

  /** The rules of the map; null for none. @returns {Api.MapRules | null} */
  get #rules() {
    const { details } = this.state;
    const [observed, entered] = [this.observed.checked, this.entered.checked];
    return details && (observed || entered) ? { observed, connected: entered ? [walkable(details.image)] : [] } : null;
  }

  /** The name of a map: its model, its seed and its rules. */
  get #name() {
    return `${this.state.modelId}:${this.seed.value}:${this.observed.checked}:${this.entered.checked}`;
  }

  /** Screen pixels of a cell. */
  get #cell() {
    return this.picture.clientWidth < 600 ? SMALL_CELL : CELL;
  }

  #listen() {
    /** @type {{x: number, y: number, row: number, column: number} | null} */
    let drag = null;
    const { picture } = this;
    picture.addEventListener("pointerdown", (event) => {
      picture.setPointerCapture(event.pointerId);
      drag = { x: event.clientX, y: event.clientY, row: this.row, column: this.column };
    });
    picture.addEventListener("pointermove", (event) => {
      if (drag) this.#moveTo(drag.row - (event.clientY - drag.y) / this.#cell, drag.column - (event.clientX - drag.x) / this.#cell);
    });
    for (const kind of ["pointerup", "pointercancel"]) picture.addEventListener(kind, () => (drag = null));
    picture.addEventListener("keydown", (event) => {
      const arrow = ARROWS[event.key];
      if (!arrow) return;
      event.preventDefault();
      this.#moveTo(this.row + arrow[0], this.column + arrow[1]);
    });
    new ResizeObserver(() => this.#draw()).observe(picture);
  }

  /** @param {number} row @param {number} column */
  #moveTo(row, column) {
    Object.assign(this, { row, column });
    this.#draw();
  }

  #other() {
    this.seed.value = String(Math.floor(Math.random() * 2 ** 31));
    this.#moveTo(0, 0);
  }

  #draw() {
    const { picture } = this;
    const { details } = this.state;
    const { clientWidth: width, clientHeight: height } = picture;
    if (!this.el.open || !details || !width || !height) return;
    const cell = this.#cell;
    const pixels = devicePixelRatio;
    Object.assign(picture, { width: Math.round(width * pixels), height: Math.round(height * pixels) });
    const brush = /** @type {CanvasRenderingContext2D} */ (picture.getContext("2d"));
    brush.imageSmoothingEnabled = false;
    const [top, left] = [this.row - height / cell / 2, this.column - width / cell / 2];
    let waiting = 0;
    for (let y = Math.floor(top / CHUNK); y * CHUNK < top + height / cell; y++)
      for (let x = Math.floor(left / CHUNK); x * CHUNK < left + width / cell; x++) {
        const part = this.#part(x, y);
        if (!part) { waiting++; continue; }
        const from = [(x * CHUNK - left) * cell * pixels, (y * CHUNK - top) * cell * pixels].map(Math.round);
        const to = [((x + 1) * CHUNK - left) * cell * pixels, ((y + 1) * CHUNK - top) * cell * pixels].map(Math.round);
        brush.drawImage(this.#pictureOf(part.levels, x, y, details.image), from[0], from[1], to[0] - from[0], to[1] - from[1]);
      }
    setText(this.place, `row ${Math.round(this.row)}, column ${Math.round(this.column)}${waiting ? `; ${waiting} ${waiting === 1 ? "part is" : "parts are"} being drawn …` : ""}`);
    const changed = countEdits(this.state.mapEdits, this.state.modelId, Number(this.seed.value));
    setText(this.note, `The same map: pointillist world ${this.state.modelId} --seed ${this.seed.value}${this.#rules ? " --rules FILE" : ""}${changed ? `; ${changed} ${changed === 1 ? "cell was" : "cells were"} changed by hand` : ""}`);
  }

  /** A part with its changes as a picture. @param {Uint8Array | Uint16Array} levels @param {number} x @param {number} y @param {Api.ImageKind} image */
  #pictureOf(levels, x, y, image) {
    const picture = document.createElement("canvas");
    const shown = levels.map((level, at) => this.#changed(y * CHUNK + Math.floor(at / CHUNK), x * CHUNK + (at % CHUNK)) ?? level);
    drawImage(picture, image, { levels: shown, known: new Uint8Array(levels.length).fill(1) }, CHUNK, CHUNK, { tiled: true });
    return picture;
  }

  /** The level to which a cell was changed by hand. @param {number} row @param {number} column */
  #changed(row, column) {
    return this.state.mapEdits.get(cellOf(this.state.modelId, Number(this.seed.value), row, column));
  }

  /** Return a part; where it is not there yet, ask for it. @param {number} x @param {number} y */
  #part(x, y) {
    const key = `${this.#name}:${x},${y}`;
    const part = this.parts.get(key);
    if (part === undefined) void this.#ask(key, x, y);
    return part ?? null;
  }

  /** @param {string} key @param {number} x @param {number} y */
  async #ask(key, x, y) {
    while (this.parts.size >= MOST) this.parts.delete(/** @type {string} */ (this.parts.keys().next().value));
    this.parts.set(key, null);
    try {
      const { levels } = await this.server.world(this.state.modelId, { seed: Number(this.seed.value), row: y * CHUNK, column: x * CHUNK, height: CHUNK, width: CHUNK, rules: this.#rules });
      this.parts.set(key, { levels: decodeLevels(levels) });
    } catch (error) {
      this.el.close();
      this.state.notify("error", error instanceof Error ? error.message : String(error));
    }
    this.#draw();
  }

  /** Take the middle of the view to the canvas. */
  #take() {
    const { details, modelId } = this.state;
    if (!details) return;
    const { height, width } = details.image;
    const [row, column] = [Math.round(this.row - height / 2), Math.round(this.column - width / 2)];
    const levels = blankLevels(details.image, height * width);
    for (let at = 0; at < levels.length; at++) {
      const [r, c] = [row + Math.floor(at / width), column + (at % width)];
      const [y, x] = [Math.floor(r / CHUNK), Math.floor(c / CHUNK)];
      const part = this.#part(x, y);
      if (!part) return setText(this.note, "This part is still being drawn: wait a moment.");
      levels[at] = this.#changed(r, c) ?? part.levels[(r - y * CHUNK) * CHUNK + (c - x * CHUNK)];
    }
    this.taken = { row, column, seed: Number(this.seed.value), model: modelId, drawn: levels.slice(), height, width };
    const canvas = { ...blankCanvas(modelId, details), levels, known: new Uint8Array(levels.length).fill(1), caption: `row ${row}, column ${column}` };
    this.painter.keepDrawings();
    this.state.show([canvas]);
    this.el.close();
    this.state.notify("plain", "Draw, erase and fill: what you change is in the map when you open it again.");
  }

  /** Put what was changed on the canvas back into the map. */
  #putBack() {
    const { taken, state } = this;
    const canvas = state.canvases.find((each) => taken && each.model === taken.model && each.caption === `row ${taken.row}, column ${taken.column}`);
    if (!taken || !canvas || canvas.height !== taken.height || canvas.width !== taken.width || Number(this.seed.value) !== taken.seed) return;
    const image = visibleImage(canvas);
    if (!isComplete(image)) return state.notify("plain", "The part on the canvas has a hole: fill it, then open the map again.");
    const edits = new Map(state.mapEdits);
    image.levels.forEach((level, at) => {
      if (level !== taken.drawn[at]) edits.set(cellOf(taken.model, taken.seed, taken.row + Math.floor(at / taken.width), taken.column + (at % taken.width)), level);
    });
    state.mapEdits = edits;
    state.changed();
    Object.assign(this, { row: taken.row + taken.height / 2, column: taken.column + taken.width / 2 });
    taken.drawn = image.levels.slice();
  }
}
