// The parts of an endless map that the page has, as they were drawn and as they were changed by hand.

import { blankLevels, decodeArray } from "../transport/encoded_arrays.js";
import { drawImage } from "../canvas/draw_image.js";
import { cellOf } from "./map_edits.js";

/** @typedef {{seed: number, rules: Api.Rules | null}} Declared what a map is drawn from, besides its model */

export const CHUNK = 32; // cells of a request: a side of what the model draws at once
const MOST = 400; // chunks that the page keeps
const MOST_PICTURES = 160; // of a megabyte each

export class WorldMap {
  /** @param {State} state @param {import("../transport/api.js").Server} server @param {(error: Error | null) => void} arrived called when a part has come, or has failed */
  constructor(state, server, arrived) {
    this.state = state;
    this.server = server;
    this.arrived = arrived;
    this.parts = /** @type {Map<string, {levels: Uint8Array | Uint16Array} | null>} */ (new Map());
    this.pictures = /** @type {Map<object, {picture: HTMLCanvasElement, of: unknown[]}>} */ (new Map());
    /** @type {{mapEdits: import("./map_edits.js").MapEdits}} what has the changed cells: those of a game are not kept */
    this.holder = state;
  }
  /** Draw the parts in view, those that are not there asked from the middle outwards; return how many are missing.
   *  @param {CanvasRenderingContext2D} brush @param {{top: number, left: number, rows: number, columns: number, middle: number[], at: number[], shown: (near: number) => unknown}} view `shown`: by the distance of a part from the cell `at`
   *  @param {number} cell @param {Declared} declared @param {{image: Api.ImageKind, figure: import("../game/figure.js").Figure | null, map: string}} what */
  draw(brush, { top, left, rows, columns, middle, at: [row, column], shown }, cell, declared, { image, figure, map }) {
    const places = /** @type {number[][]} */ ([]);
    for (let y = Math.floor(top / CHUNK); y * CHUNK < top + rows; y++)
      for (let x = Math.floor(left / CHUNK); x * CHUNK < left + columns; x++) places.push([x, y]);
    const far = (/** @type {number[]} */ [x, y]) => Math.hypot((x + 0.5) * CHUNK - middle[1], (y + 0.5) * CHUNK - middle[0]);
    const phase = (/** @type {number[]} */ [x, y]) => Math.abs(x % 2) + 2 * Math.abs(y % 2); // earlier ones need fewer others
    const near = (/** @type {number[]} */ [x, y]) => Math.max(x * CHUNK - column, column + 1 - (x + 1) * CHUNK, y * CHUNK - row, row + 1 - (y + 1) * CHUNK);
    let waiting = 0;
    for (const [x, y] of places.filter((each) => shown(near(each))).sort((a, b) => far(a) - far(b) || phase(a) - phase(b))) {
      const part = this.part(declared, x, y);
      if (!part) { waiting++; continue; }
      const [from, to] = [0, 1].map((k) => [((x + k) * CHUNK - left) * cell, ((y + k) * CHUNK - top) * cell].map(Math.round));
      brush.drawImage(this.picture(part.levels, declared.seed, x, y, image, figure, map), from[0], from[1], to[0] - from[0], to[1] - from[1]);
    }
    return waiting;
  }
  /** Return a part; if it is not there, ask for it. @param {Declared} declared @param {number} x @param {number} y */
  part(declared, x, y) {
    const key = JSON.stringify([this.state.modelId, declared, x, y]);
    const part = this.parts.get(key);
    if (part === undefined) void this.#ask(key, declared, x, y);
    return part ?? null;
  }
  /** Return the level of a cell, as changed by hand; null while it is drawn. @param {Declared} declared @param {number} row @param {number} column */
  level(declared, row, column) {
    const level = this.drawn(declared, row, column);
    return level === null ? null : (this.changed(declared.seed, row, column) ?? level);
  }
  /** Return the level of a cell, as the model drew it; null until then. @param {Declared} declared @param {number} row @param {number} column */
  drawn(declared, row, column) {
    const [y, x] = [Math.floor(row / CHUNK), Math.floor(column / CHUNK)];
    const part = this.part(declared, x, y);
    return part && part.levels[(row - y * CHUNK) * CHUNK + (column - x * CHUNK)];
  }
  /** Return the levels of a rectangle, as changed by hand; null while a part of it is drawn. @param {Declared} declared @param {number} row @param {number} column @param {number} height @param {number} width */
  cells(declared, row, column, height, width) {
    const levels = blankLevels(/** @type {Api.ModelDetails} */ (this.state.details).image, height * width);
    for (let at = 0; at < levels.length; at++) {
      const level = this.level(declared, row + Math.floor(at / width), column + (at % width));
      if (level === null) return null;
      levels[at] = level;
    }
    return levels;
  }
  /** Return the level to which a cell was changed. @param {number} seed @param {number} row @param {number} column */
  changed(seed, row, column) {
    return this.holder.mapEdits.get(cellOf(this.state.modelId, seed, row, column))?.level;
  }
  /** A part as a picture: with what was changed by hand, and without what the figure took. It is drawn again when one of these changes.
   *  @param {Uint8Array | Uint16Array} levels @param {number} seed @param {number} x @param {number} y @param {Api.ImageKind} image
   *  @param {import("../game/figure.js").Figure | null} figure @param {string} map its name, for what was taken */
  picture(levels, seed, x, y, image, figure, map) {
    const of = [this.holder.mapEdits, image, figure, figure?.walk.taken], kept = this.pictures.get(levels);
    if (kept?.of.every((each, n) => each === of[n])) return kept.picture;
    const picture = document.createElement("canvas"), floor = image.level_names?.indexOf("floor") ?? -1;
    const shown = levels.map((level, at) => {
      const [row, column] = [y * CHUNK + Math.floor(at / CHUNK), x * CHUNK + (at % CHUNK)];
      return floor >= 0 && figure?.hasTaken(map, row, column) ? floor : (this.changed(seed, row, column) ?? level);
    });
    drawImage(picture, image, { levels: shown, known: new Uint8Array(levels.length).fill(1) }, CHUNK, CHUNK, { tiled: true });
    while (this.pictures.size >= MOST_PICTURES) this.pictures.delete(/** @type {object} */ (this.pictures.keys().next().value));
    this.pictures.set(levels, { picture, of });
    return picture;
  }
  /** @param {string} key @param {Declared} declared @param {number} x @param {number} y */
  async #ask(key, { seed, rules }, x, y) {
    while (this.parts.size >= MOST) this.parts.delete(/** @type {string} */ (this.parts.keys().next().value));
    this.parts.set(key, null);
    try {
      const { levels } = await this.server.ask(this.state.modelId, "world", { seed, row: y * CHUNK, column: x * CHUNK, height: CHUNK, width: CHUNK, rules });
      this.parts.set(key, { levels: decodeArray(levels) });
      this.arrived(null);
    } catch (error) {
      this.arrived(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
