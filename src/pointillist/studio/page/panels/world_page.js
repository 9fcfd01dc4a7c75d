// An endless map to walk through: drag it, use the arrow keys, or send a figure through it. One draws in it. What was changed lies over the map: it stays when rules change, and nothing else of the
// map depends on it. The address names the place: `#world=7&at=-3,5`; or a dungeon to be won, `#game=20261203`, and a round in it.

import { MapPen } from "../drawing/map_pen.js";
import { button, download, html, setText } from "../shared/dom.js";
import { leftOut, writeLink } from "../state/link.js";
import { countEdits, packCells, withCells } from "../state/map_edits.js";
import { walkable } from "../state/map_rules.js";
import { WorldMap } from "../state/world_map.js";
import { FLOORS, WAYS, dayOf, questOf, rulesOfFloor, seedOf } from "../game/quest.js";
import { movesOf, packMoves, readMoves } from "../game/round.js";
import { Figure, KEYS, canPlay, centreOf, drawFigure, drawLight, towards } from "../game/figure.js";
import { drawImage } from "../canvas/draw_image.js";
import { encodeArray } from "../transport/encoded_arrays.js";
import { DungeonPanel } from "../game/dungeon_panel.js";

const CELLS = [4, 6, 8, 12, 16, 24, 32, 48]; // screen pixels of a cell
const WIDE = 4, NARROW = 3; // of CELLS, in wide and in narrow windows
const STEP = 4; // cells of an arrow key
const PACE = 90, REPLAY = 40; // milliseconds of a step of the figure
const NEARBY = 16; // cells around a figure with a lamp that are drawn
const SWIPE = 24; // screen pixels of a step by touch, at least
const WHEEL = 80; // of a wheel, for one size more or less
const BEGIN = 7; // seed of the map that is shown first
const SMALL = "(max-width: 600px), (max-height: 500px)"; // in which the map needs all of the window

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
    this.figure = /** @type {Figure | null} */ (null);
    this.way = /** @type {number[]} */ ([]);
    this.aiming = this.replays = false; // a spell; a round from a link
    this.dungeon = new DungeonPanel({ aim: () => this.#aim(), again: () => this.play(this.figure?.walk.day ?? undefined), close: () => this.#walk() });
    this.floor = /** @type {import("../state/world_map.js").Declared | null} */ (null);
    this.busy = false; // while the figure makes moves
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
        this.gameButton = button("Dungeon of the day", "A game: down the stairs three times, with one lamp", () => this.play()),
        button("−", "Smaller (−)", () => this.#zoom(-1), { "aria-label": "Smaller" }), button("+", "Larger (+)", () => this.#zoom(1), { "aria-label": "Larger" }), this.wholeButton,
        this.linked && button("Link", "Copy a link to this place", () => void this.#copyLink()), button("PNG", "Save what is in view", () => this.#savePicture()), button("Tiled", "Save what is in view as a map for Tiled", () => void this.#saveMap()),
        html("span", { className: "row rules" }, html("label", { className: "check" }, this.observed, "Neighbours as in training"), html("label", { className: "check" }, this.entered, "Passages")), this.place, this.note),
      this.pen.el, this.dungeon.el, this.picture, this.dungeon.end);
    this.#listen();
  }
  /** Show the map. A link leads to a place in the whole window. @param {import("../state/link.js").Link} [link] to a place of it */
  open({ world: seed, at, rules, edits, game, moves } = {}) {
    const { state } = this, { details, modelId } = state;
    if (game !== undefined) return this.play(game, moves);
    this.gameButton.hidden = !canPlay(details);
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
  /** Begin the dungeon of a day, or play a round of it again. @param {number} [day] @param {string} [moves] of a link */
  play(day = dayOf(new Date()), moves) {
    const log = moves === undefined ? "" : readMoves(moves);
    if (this.figure) this.#walk();
    if (this.pen.on) this.pen.turn(false);
    this.figure = new Figure(day);
    this.map.holder = { mapEdits: new Map() };
    Object.assign(this, { standing: true, busy: false, way: [], aiming: false, replays: Boolean(log) });
    if (log === null) this.figure.say("The moves of this link cannot be read: it was cut, or changed. Play the dungeon yourself.");
    Object.assign(this, centreOf(this.figure));
    if (!this.el.open) this.el.showModal();
    this.before = "";
    this.#showWhole(true);
    this.el.classList.add("game");
    this.dungeon.el.hidden = false;
    this.picture.focus();
    this.#go(movesOf(log ?? ""));
  }
  /** Aim the spell, or not. */
  #aim() {
    if (!this.figure?.walk.charges || this.way.length) return;
    this.aiming = !this.aiming;
    this.picture.focus();
    this.#draw();
  }
  /** Paint the door of a spell; the map around it heals, but for where the figure stands, the key and the vault. @param {Figure} figure @param {number} way */
  async #cast(figure, way) {
    const { row, column, day, floor } = figure.walk, [down, right] = WAYS[way], seed = seedOf(day ?? 0, floor);
    await this.pen.dot(this.#declared, [row + down, column + right], this.state.details?.image.level_names?.indexOf("door"), [[row, column], ...questOf(seed).fixed.map((cell) => /** @type {[number, number]} */ ([cell.row, cell.column]))]);
    figure.say(this.pen.message);
  }
  /** The dungeon that is played. @returns {import("../game/quest.js").Walk | null} */
  get #round() {
    return this.figure && this.figure.walk.day !== null ? this.figure.walk : null;
  }
  /** What the map is drawn from. @returns {import("../state/world_map.js").Declared} */
  get #declared() {
    const round = this.#round, floor = round && seedOf(round.day ?? 0, Math.min(round.floor, FLOORS - 1));
    if (floor !== null && this.floor?.seed !== floor) this.floor = { seed: floor, rules: rulesOfFloor(floor) };
    if (floor !== null && this.floor) return this.floor;
    const { details } = this.state, [observed, entered] = [this.observed.checked, this.entered.checked];
    return { seed: Number(this.seed.value), rules: details && (observed || entered) ? { adjacency: observed ? { observed } : null, connected: entered ? [{ levels: walkable(details.image) }] : [] } : null };
  }
  /** The name of a map, for what the figure has taken. */
  get #name() {
    return this.#round ? String(this.#round.floor) : `${this.state.modelId}:${JSON.stringify(this.#declared)}`;
  }
  /** The place that is named: the cell in the middle of the view, where a figure stands once it has a place. @returns {[number, number]} row and column */
  get #at() {
    return [Math.floor(this.row), Math.floor(this.column)];
  }
  /** Screen pixels of a cell. */
  get #cell() {
    return CELLS[this.size >= 0 ? this.size : (this.picture.clientWidth < 600 ? NARROW : WIDE) + 2 * Number(this.#round !== null)];
  }
  #listen() {
    let drag = /** @type {{x: number, y: number, row: number, column: number, moved: boolean} | null} */ (null);
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
      if (this.figure && Math.hypot(right, down) > Math.max(SWIPE, this.#cell)) { // a swipe is a step; who goes on swiping goes on
        Object.assign(drag, { x: event.clientX, y: event.clientY });
        this.#go([towards(down, right)]);
      } else if (drag.moved && !this.figure) this.#moveTo(drag.row - down / this.#cell, drag.column - right / this.#cell);
    });
    picture.addEventListener("pointerup", (event) => {
      this.pen.end();
      if (drag && !drag.moved && this.figure) this.#point(...this.#cellAt(event));
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
    const way = KEYS[event.key];
    if (way !== undefined && this.figure) this.#go([way]);
    else if (way !== undefined && event.key.startsWith("Arrow")) this.#moveTo(this.row + step * WAYS[way][0], this.column + step * WAYS[way][1]);
    else if (event.key === " " && this.#round) this.#aim();
    else if (event.key === "Escape" && this.aiming) this.#aim();
    else if (undoes) void this.pen.undo();
    else if (event.key === " " && this.pen.on) this.pen.dot(this.#declared, [Math.floor(this.row), Math.floor(this.column)]);
    else if (event.key === "+" || event.key === "-") this.#zoom(event.key === "+" ? 1 : -1);
    else if (event.key === "f") this.#fullScreen();
    else if (event.key === "Enter" && this.figure && !this.#round) this.#takeStairs();
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
    if (this.map.holder !== this.state) this.pen.steps = [];
    this.dungeon.el.hidden = this.dungeon.end.hidden = true;
    this.el.classList.remove("game");
    Object.assign(this, { replays: false, aiming: false, busy: false }).map.holder = this.state;
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
    this.standing = stands || figure.walk.message !== "";
    if (stands) Object.assign(this, centreOf(figure));
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
  /** Walk to a cell that one points to, or cast a spell to that side. @param {number} row @param {number} column */
  #point(row, column) {
    const { figure } = this;
    if (!figure) return;
    const round = this.#round;
    if (this.aiming) return this.#go([towards(row - figure.walk.row, column - figure.walk.column)]);
    const way = figure.wayTo(this.#name, this.#nameAt, row, column, round ? this.dungeon.sight(round) : undefined);
    if (!way.length) figure.say(round ? "There is no way that you see." : "There is no way to this place.");
    this.#go(way);
  }
  /** Make moves; the first is a spell if one aims. @param {number[]} way */
  #go(way) {
    if (!this.busy || !this.replays) this.way = this.aiming ? way.map((each) => WAYS.length + each) : way.slice();
    this.aiming = false;
    if (!this.busy) void this.#makeMoves();
    this.#draw();
  }
  /** Make the moves of the way, one after the other. A round of a link in which one is blocked was not played on this map. */
  async #makeMoves() {
    const { figure, replays } = this, here = () => figure && this.figure === figure && this.el.open;
    let refusal = "";
    for (this.busy = true; figure && here() && this.way.length; await new Promise((done) => setTimeout(done, replays ? REPLAY : PACE))) {
      const { way } = this, { end, steps } = figure.walk, came = figure.step(this.#name, this.#nameAt, way[0]);
      if (came === "cast") await this.#cast(figure, way[0] - WAYS.length);
      if (came === "blocked" && replays) refusal = end ? "The link has moves after the end of its round: it was changed, and does not count." : `Move ${steps + 1} of this link is not possible here: this round was not played on this map, and does not count.`;
      if (came === "blocked") this.way = [];
      else if (came !== "waiting" && way === this.way) way.shift();
      if (here()) Object.assign(this, centreOf(figure));
      this.#draw();
    }
    if (!figure || !here()) return;
    if (refusal || (replays && !figure.walk.end)) figure.say(refusal || "The moves of this link end here: go on from here.");
    Object.assign(this, { busy: false, replays: false });
    this.#draw();
  }
  /** Take the stairs on which the figure stands: down to the map of the next seed, up to the one before. */
  #takeStairs() {
    const walk = this.figure?.walk;
    if (!walk) return;
    const name = this.#nameAt(walk.row, walk.column), seed = Number(this.seed.value);
    if (name !== "stairs down" && name !== "stairs up") return;
    this.seed.value = String(name === "stairs down" ? seed + 1 : Math.max(0, seed - 1));
    this.#moveTo(walk.row, walk.column);
  }
  #draw() {
    const { picture, figure, state: { details } } = this;
    const { clientWidth: width, clientHeight: height } = picture;
    if (!this.el.open || !details || !width || !height) return;
    const cell = this.#cell, pixels = devicePixelRatio, round = this.#round;
    Object.assign(picture, { width: Math.round(width * pixels), height: Math.round(height * pixels) });
    const brush = /** @type {CanvasRenderingContext2D} */ (picture.getContext("2d"));
    brush.imageSmoothingEnabled = false;
    brush.fillStyle = "#0c0912";
    if (round) brush.fillRect(0, 0, picture.width, picture.height);
    const [top, left] = [this.row - height / cell / 2, this.column - width / cell / 2];
    const at = this.#at, shown = (/** @type {number} */ near) => !round || round.end || near <= NEARBY, map = figure ? this.#name : "";
    const view = { top, left, rows: height / cell, columns: width / cell, middle: [this.row, this.column], at, shown };
    const waiting = this.map.draw(brush, view, cell * pixels, this.#declared, { image: details.image, figure, map });
    if (figure && this.standing) {
      const size = cell * pixels, place = (/** @type {number} */ row, /** @type {number} */ column) => /** @type {const} */ ([(column - left) * size, (row - top) * size]), [x, y] = place(figure.walk.row, figure.walk.column);
      const monster = document.createElement("canvas"), { image } = details;
      if (round) drawImage(monster, image, { levels: Uint8Array.of(image.level_names?.indexOf("monster") ?? 0), known: Uint8Array.of(1) }, 1, 1, { tiled: true });
      for (const [row, column] of figure.walk.awake) brush.drawImage(monster, ...place(row, column), size, size);
      drawLight(brush, x + size / 2, y + size / 2, size, ...(round ? /** @type {const} */ ([this.dungeon.sight(round), Number(!round.end)]) : []));
      drawFigure(brush, Math.round(x), Math.round(y), size);
      if (round) this.dungeon.drawDraught(brush, x + size / 2, y + size / 2, size, round);
    }
    if (round) {
      const { aiming, replays } = this;
      this.dungeon.update(round, { aiming, replays, link: new URL(location.pathname + writeLink(this.#link), location.href).href });
      return this.#writeAddress();
    }
    if (this.pen.on) this.pen.frame(brush, cell * pixels, Math.floor(this.column) - left, Math.floor(this.row) - top);
    const has = figure?.belongings ? `; ${figure.belongings}` : "";
    setText(this.place, `row ${this.#at[0]}, column ${this.#at[1]}${has}${waiting ? `; ${waiting} ${waiting === 1 ? "part is" : "parts are"} being drawn …` : ""}`);
    const changed = countEdits(this.state.mapEdits, this.state.modelId, Number(this.seed.value));
    const { rules } = this.#declared;
    const unkept = leftOut(this.#link).length ? ", too many for a link: save a project" : "";
    setText(this.note, figure?.walk.message || `${this.pen.message || `The same map: pointillist world ${this.state.modelId} --seed ${this.seed.value}${rules ? " --rules FILE" : ""}`}${changed ? `; ${changed} ${changed === 1 ? "cell was" : "cells were"} changed${unkept}` : ""}`);
    this.#writeAddress();
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
  /** The link to the place, also rules and changed cells; or to a dungeon and the moves of a round. @returns {import("../state/link.js").Link} */
  get #link() {
    const { modelId, mapEdits } = this.state, seed = Number(this.seed.value), round = this.#round;
    if (round) return { model: modelId, game: round.day ?? 0, ...(round.end && { moves: packMoves(round.log) }) };
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
