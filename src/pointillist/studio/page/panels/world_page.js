// An endless map to walk through: drag it, use the arrow keys, or send a figure through it. One draws in it. What was changed lies over the map: it stays when rules change, and nothing else of the
// map depends on it. The address names the place: `#world=7&at=-3,5`.

import { MapPen } from "../drawing/map_pen.js";
import { button, download, html, setText } from "../shared/dom.js";
import { leftOut, writeLink } from "../state/link.js";
import { countEdits, packCells, withCells } from "../state/map_edits.js";
import { walkable } from "../state/map_rules.js";
import { CHUNK, WorldMap } from "../state/world_map.js";
import { Figure, drawFigure, drawLight } from "../state/world_figure.js";
import { encodeArray } from "../transport/encoded_arrays.js";

const CELLS = [4, 6, 8, 12, 16, 24, 32, 48]; // screen pixels of a cell
const WIDE = 4, NARROW = 3; // of CELLS, in wide and in narrow windows
const STEP = 4; // cells of an arrow key
const PACE = 90; // milliseconds of a step of the figure
const WHEEL = 80; // of a wheel, for one size more or less
const BEGIN = 7; // seed of the map that is shown first
const SMALL = "(max-width: 600px), (max-height: 500px)"; // in which the map needs all of the window
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], w: [-1, 0], s: [1, 0], a: [0, -1], d: [0, 1] };

export class WorldPage {
  #frame = 0;

  /** @param {State} state @param {import("../transport/api.js").Server} server @param {boolean} linked whether the address belongs to the studio */
  constructor(state, server, linked) {
    this.state = state;
    this.server = server;
    this.linked = linked;
    this.before = ""; // address of the page behind the map
    this.row = this.column = 0; // of the middle of the view, in cells
    this.size = -1; // of CELLS; -1 until someone chose one
    this.map = new WorldMap(state, server, (error) => this.#arrived(error));
    /** @type {Figure | null} */
    this.figure = null;
    /** @type {[number, number][]} steps that the figure has still to take */
    this.way = [];
    this.standing = false; // whether the figure has a place, or has none near
    this.pen = new MapPen(state, server, this.map, () => this.#penned());
    this.seed = html("input", { type: "number", min: "0", max: String(2 ** 53 - 1), step: "1", value: String(BEGIN), "aria-label": "Seed of the map", onchange: () => this.#moveTo(0, 0) });
    const box = (/** @type {string} */ title) => html("input", { type: "checkbox", title, onchange: () => this.#draw() });
    this.observed = box("Only neighbours that the training maps have");
    this.entered = box("Each part can be entered from all four sides");
    this.place = html("small", { role: "status" });
    this.note = html("p", { className: "note", role: "status" });
    this.walkButton = button("Walk", "Send a figure through the map: arrow keys, or a click on where it should go", () => this.#walk(), { className: "strong", "aria-pressed": "false" });
    this.wholeButton = button("Full screen", "The map alone, or seed and rules too (F)", () => this.#fullScreen());
    this.picture = html("canvas", { className: "world", tabIndex: 0, role: "application", "aria-label": "The map. Drag it, or move with the arrow keys." });
    this.el = html("dialog", { className: "gallery-page world-page", "aria-label": "Endless map", onclose: () => this.#closed() },
      html("div", { className: "row" }, html("h2", {}, "Endless map"), html("label", { className: "check" }, "Seed", this.seed), button("Other map", "Another seed", () => this.#other()), button("To the start", "Where one begins", () => this.#moveTo(0, 0)), html("button", { type: "button", className: "close", title: "Back to the canvas", onclick: () => this.el.close() }, "Close")),
      html("div", { className: "row" }, this.walkButton, this.pen.button,
        button("−", "Smaller (−)", () => this.#zoom(-1), { "aria-label": "Smaller" }), button("+", "Larger (+)", () => this.#zoom(1), { "aria-label": "Larger" }), this.wholeButton,
        this.linked && button("Link", "Copy a link to this place", () => void this.#copyLink()), button("PNG", "Save what is in view", () => this.#savePicture()), button("Tiled", "Save what is in view as a map for Tiled", () => void this.#saveMap()),
        html("span", { className: "row rules" }, html("label", { className: "check" }, this.observed, "Neighbours as in training"), html("label", { className: "check" }, this.entered, "Passages")), this.place, this.note),
      this.pen.el, this.picture);
    this.#listen();
  }

  /** Show the map. A link leads to a place in the whole window. @param {import("../state/link.js").Link} [link] to a place of it */
  open({ world: seed, at, rules, edits } = {}) {
    const { state } = this, { details, modelId } = state;
    if (seed !== undefined) {
      this.seed.value = String(seed);
      [this.observed.checked, this.entered.checked] = ["observed", "passages"].map((rule) => rules?.split(",").includes(rule) ?? false);
      if (edits && details) state.mapEdits = withCells(state.mapEdits, edits, modelId, seed, details.image.levels);
    }
    if (at) Object.assign(this, { row: at[0], column: at[1] });
    this.before = seed === undefined ? location.hash : ""; // whoever came by a link is not led to it again
    this.el.showModal();
    this.#showWhole(seed !== undefined || matchMedia(SMALL).matches);
    if (at && !this.figure) this.#walk();
    this.picture.focus();
    this.#draw();
  }

  /** What the map is drawn from. */
  get #declared() {
    const { details } = this.state, [observed, entered] = [this.observed.checked, this.entered.checked];
    return { seed: Number(this.seed.value), rules: details && (observed || entered) ? { adjacency: observed ? { observed } : null, connected: entered ? [{ levels: walkable(details.image) }] : [] } : null };
  }

  /** The name of a map, for what the figure has taken. */
  get #name() {
    return `${this.state.modelId}:${JSON.stringify(this.#declared)}`;
  }

  /** The place that is named: the cell in the middle of the view, where a figure stands once it has a place. @returns {[number, number]} row and column */
  get #at() {
    return [Math.floor(this.row), Math.floor(this.column)];
  }

  /** Screen pixels of a cell. */
  get #cell() {
    return CELLS[this.size >= 0 ? this.size : this.picture.clientWidth < 600 ? NARROW : WIDE];
  }

  #listen() {
    /** @type {{x: number, y: number, row: number, column: number, moved: boolean} | null} */
    let drag = null;
    let wheel = 0;
    const { picture } = this;
    picture.addEventListener("pointerdown", (event) => {
      picture.setPointerCapture(event.pointerId);
      if (this.pen.on) return this.pen.begin(this.#declared, this.#cellAt(event));
      drag = { x: event.clientX, y: event.clientY, row: this.row, column: this.column, moved: false };
    });
    picture.addEventListener("pointermove", (event) => {
      if (this.pen.stroke) return this.pen.to(this.#cellAt(event));
      if (!drag) return;
      const [right, down] = [event.clientX - drag.x, event.clientY - drag.y];
      drag.moved ||= Math.hypot(right, down) > 6;
      if (drag.moved && !this.figure) this.#moveTo(drag.row - down / this.#cell, drag.column - right / this.#cell);
    });
    picture.addEventListener("pointerup", (event) => {
      this.pen.end();
      if (drag && !drag.moved && this.figure) this.#walkTo(...this.#cellAt(event));
      drag = null;
    });
    picture.addEventListener("pointercancel", () => {
      this.pen.end();
      drag = null;
    });
    picture.addEventListener("wheel", (event) => {
      event.preventDefault();
      wheel += event.deltaY;
      if (Math.abs(wheel) < WHEEL) return;
      this.#zoom(-Math.sign(wheel));
      wheel = 0;
    }, { passive: false });
    picture.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#draw()).observe(picture);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const undoes = this.pen.on && event.key === "z" && (event.ctrlKey || event.metaKey), step = this.pen.on ? 1 : STEP;
    if ((event.ctrlKey || event.metaKey || event.altKey) && !undoes) return;
    const arrow = ARROWS[event.key];
    if (arrow && this.figure) this.#go([arrow]);
    else if (arrow && event.key.startsWith("Arrow")) this.#moveTo(this.row + step * arrow[0], this.column + step * arrow[1]);
    else if (undoes) void this.pen.undo();
    else if (event.key === " " && this.pen.on) this.pen.dot(this.#declared, [Math.floor(this.row), Math.floor(this.column)]);
    else if (event.key === "+" || event.key === "-") this.#zoom(event.key === "+" ? 1 : -1);
    else if (event.key === "f") this.#fullScreen();
    else if (event.key === "Enter" && this.figure) this.#takeStairs();
    else return;
    event.preventDefault();
    event.stopPropagation(); // the studio has shortcuts of its own
  }

  /** @param {number} row @param {number} column */
  #moveTo(row, column) {
    Object.assign(this, { row, column });
    if (this.figure) this.#stand();
    this.#draw();
  }

  #other() {
    this.seed.value = String(Math.floor(Math.random() * 2 ** 31));
    this.#moveTo(0, 0);
  }

  /** @param {number} more */
  #zoom(more) {
    const now = CELLS.indexOf(this.#cell);
    this.size = Math.max(0, Math.min(CELLS.length - 1, now + more));
    this.#draw();
  }

  /** Give the map the whole window, or show all controls. @param {boolean} whole */
  #showWhole(whole) {
    this.el.classList.toggle("whole", whole);
    setText(this.wholeButton, whole ? "All controls" : "Full screen");
  }

  /** Give the map the whole window, and the whole screen where the browser lets it. */
  #fullScreen() {
    const whole = !this.el.classList.contains("whole");
    this.#showWhole(whole);
    if (whole) document.documentElement.requestFullscreen?.().catch(() => {});
    else if (document.fullscreenElement) void document.exitFullscreen();
    this.#draw();
  }

  /** @param {number} row @param {number} column @returns {string | null} name of the level of a cell */
  #nameAt = (row, column) => {
    const level = this.map.level(this.#declared, row, column);
    return level === null ? null : (this.state.details?.image.level_names?.[level] ?? "floor");
  };

  /** Begin or end a walk. */
  #walk() {
    this.figure = this.figure ? null : new Figure();
    if (this.figure && this.pen.on) this.pen.turn(false);
    this.way = [];
    this.walkButton.setAttribute("aria-pressed", String(this.figure !== null));
    setText(this.walkButton, this.figure ? "End the walk" : "Walk");
    if (this.figure) this.#stand();
    this.picture.focus();
    this.#draw();
  }

  /** Put the figure near the middle of the view; if the map is not there yet, once it has come. */
  #stand() {
    const { figure } = this;
    if (!figure) return;
    this.way = [];
    const stands = figure.begin(this.#nameAt, Math.floor(this.row), Math.floor(this.column));
    this.standing = stands || figure.message !== "";
    if (stands) Object.assign(this, { row: figure.row + 0.5, column: figure.column + 0.5 });
  }

  /** Return row and column of the cell under the pointer. @param {PointerEvent} event @returns {[number, number]} */
  #cellAt({ offsetX: x, offsetY: y }) {
    const { clientWidth: width, clientHeight: height } = this.picture;
    return [Math.floor(this.row + (y - height / 2) / this.#cell), Math.floor(this.column + (x - width / 2) / this.#cell)];
  }

  /** Draw what the pen did; who draws does not walk. */
  #penned() {
    if (this.pen.on && this.figure) this.#walk();
    this.picture.classList.toggle("penned", this.pen.on);
    this.#draw();
  }

  /** Walk to a cell. @param {number} row @param {number} column */
  #walkTo(row, column) {
    const { figure } = this;
    if (!figure) return;
    const way = figure.wayTo(this.#name, this.#nameAt, row, column);
    if (!way.length) figure.message = "There is no way to this place.";
    this.#go(way);
  }

  /** Take steps, one after the other. @param {[number, number][]} way */
  #go(way) {
    const walks = this.way.length > 0;
    this.way = way.slice();
    if (!walks) this.#stepOn();
    this.#draw();
  }

  #stepOn() {
    const { figure, way: [step] } = this;
    if (!figure || !step || !this.el.open) return void (this.way = []);
    const came = figure.step(this.#name, this.#nameAt, ...step);
    if (came === "blocked") this.way = [];
    else if (came === "moved") this.way.shift();
    Object.assign(this, { row: figure.row + 0.5, column: figure.column + 0.5 });
    this.#draw();
    if (this.way.length) setTimeout(() => this.#stepOn(), PACE);
  }

  /** Take the stairs on which the figure stands: down to the map of the next seed, up to the one before. */
  #takeStairs() {
    const { figure } = this;
    if (!figure) return;
    const name = this.#nameAt(figure.row, figure.column), seed = Number(this.seed.value);
    if (name !== "stairs down" && name !== "stairs up") return;
    this.seed.value = String(name === "stairs down" ? seed + 1 : Math.max(0, seed - 1));
    this.#moveTo(figure.row, figure.column);
  }

  #draw() {
    const { picture, state: { details } } = this;
    const { clientWidth: width, clientHeight: height } = picture;
    if (!this.el.open || !details || !width || !height) return;
    const cell = this.#cell;
    const pixels = devicePixelRatio;
    Object.assign(picture, { width: Math.round(width * pixels), height: Math.round(height * pixels) });
    const brush = /** @type {CanvasRenderingContext2D} */ (picture.getContext("2d"));
    brush.imageSmoothingEnabled = false;
    const [top, left] = [this.row - height / cell / 2, this.column - width / cell / 2];
    const waiting = this.#drawParts(brush, { top, left, rows: height / cell, columns: width / cell }, cell * pixels, details.image);
    const { figure } = this;
    if (figure && this.standing) {
      const [x, y] = [(figure.column - left) * cell * pixels, (figure.row - top) * cell * pixels];
      drawLight(brush, x + (cell * pixels) / 2, y + (cell * pixels) / 2, cell * pixels);
      drawFigure(brush, Math.round(x), Math.round(y), cell * pixels);
    }
    if (this.pen.on) this.pen.frame(brush, cell * pixels, Math.floor(this.column) - left, Math.floor(this.row) - top);
    const has = figure?.belongings ? `; ${figure.belongings}` : "";
    setText(this.place, `row ${this.#at[0]}, column ${this.#at[1]}${has}${waiting ? `; ${waiting} ${waiting === 1 ? "part is" : "parts are"} being drawn …` : ""}`);
    const changed = countEdits(this.state.mapEdits, this.state.modelId, Number(this.seed.value));
    const { rules } = this.#declared;
    const unkept = leftOut(this.#link).length ? ", too many for a link: save a project" : "";
    setText(this.note, figure?.message || `${this.pen.message || `The same map: pointillist world ${this.state.modelId} --seed ${this.seed.value}${rules ? " --rules FILE" : ""}`}${changed ? `; ${changed} ${changed === 1 ? "cell was" : "cells were"} changed${unkept}` : ""}`);
    this.#writeAddress();
  }

  /** Draw the parts in view, those that are not there asked from the middle outwards; return how many are missing.
   *  @param {CanvasRenderingContext2D} brush @param {{top: number, left: number, rows: number, columns: number}} view @param {number} cell @param {Api.ImageKind} image */
  #drawParts(brush, { top, left, rows, columns }, cell, image) {
    const declared = this.#declared;
    const places = [];
    for (let y = Math.floor(top / CHUNK); y * CHUNK < top + rows; y++)
      for (let x = Math.floor(left / CHUNK); x * CHUNK < left + columns; x++) places.push([x, y]);
    const far = (/** @type {number[]} */ [x, y]) => Math.hypot((x + 0.5) * CHUNK - this.column, (y + 0.5) * CHUNK - this.row);
    const phase = (/** @type {number[]} */ [x, y]) => Math.abs(x % 2) + 2 * Math.abs(y % 2); // earlier ones need fewer others
    let waiting = 0;
    for (const [x, y] of places.sort((a, b) => far(a) - far(b) || phase(a) - phase(b))) {
      const part = this.map.part(declared, x, y);
      if (!part) { waiting++; continue; }
      const [from, to] = [0, 1].map((k) => [((x + k) * CHUNK - left) * cell, ((y + k) * CHUNK - top) * cell].map(Math.round));
      brush.drawImage(this.map.picture(part.levels, declared.seed, x, y, image, this.figure, this.figure ? this.#name : ""), from[0], from[1], to[0] - from[0], to[1] - from[1]);
    }
    return waiting;
  }

  /** @param {Error | null} error */
  #arrived(error) {
    if (error) {
      this.el.close();
      this.state.notify("error", error.message);
    }
    if (this.figure && !this.standing) this.#stand();
    this.#frame ||= requestAnimationFrame(() => { // for all parts that arrive until then
      this.#frame = 0;
      this.#draw();
    });
  }

  /** The link to the place: also rules and changed cells. @returns {import("../state/link.js").Link} */
  get #link() {
    const { modelId, mapEdits } = this.state, seed = Number(this.seed.value);
    const rules = [this.observed.checked && "observed", this.entered.checked && "passages"].filter((rule) => typeof rule === "string");
    return { model: modelId, world: seed, at: this.#at, rules: rules.join(), edits: packCells(mapEdits, modelId, seed) };
  }

  #writeAddress() {
    const link = writeLink(this.#link);
    if (this.linked && location.hash !== link) history.replaceState(null, "", link);
  }

  async #copyLink() {
    const link = new URL(writeLink(this.#link), location.href).href, missing = leftOut(this.#link).join(" and ");
    try {
      await navigator.clipboard.writeText(link);
      setText(this.note, missing ? `The link is copied, but it does not hold ${missing}: save a project.` : "The link is copied. Whoever opens it stands at this place, on the same map.");
    } catch {
      setText(this.note, `The browser does not let this page copy. The link: ${link}`);
    }
  }

  #closed() {
    if (document.fullscreenElement) void document.exitFullscreen();
    if (this.figure) this.#walk();
    if (this.pen.on) this.pen.turn(false);
    if (this.linked) history.replaceState(null, "", this.before || location.pathname + location.search);
  }

  #savePicture() {
    this.picture.toBlob((picture) => picture && download(picture, `${this.state.modelId}-world-${this.seed.value}-at-${this.#at.join("-")}.png`));
  }

  /** Save the cells in view for Tiled. */
  async #saveMap() {
    const { details, modelId } = this.state;
    if (!details) return;
    const [height, width] = [this.picture.clientHeight, this.picture.clientWidth].map((pixels) => Math.max(1, Math.floor(pixels / this.#cell)));
    const levels = this.map.cells(this.#declared, Math.floor(this.row - height / 2), Math.floor(this.column - width / 2), height, width);
    if (!levels) return setText(this.note, "A part of it is still being drawn: wait a moment.");
    try {
      download(await this.server.file(modelId, "map", { levels: encodeArray(levels, [1, height, width]), format: "tmj" }), `${modelId}-world-${this.seed.value}.zip`);
    } catch (error) {
      setText(this.note, error instanceof Error ? error.message : String(error));
    }
  }
}
