// A figure that walks through an endless map: doors open, locked ones with a key, chests are emptied, stairs lead to another map.

import { COLLECTED, SOLID, WAYS, begin, step, takenAt } from "./quest.js";

/** @typedef {import("./quest.js").NameAt} NameAt */
const REACH = 24; // cells: how far from the middle of the view a place to begin is looked for
const FARTHEST = 4000; // cells that are looked at for a way to where one points
export class Figure {
  /** @param {number | null} [day] of a dungeon that is to be won */
  constructor(day = null) {
    this.walk = begin(day);
  }
  /** Return true if the thing of a cell was taken. @param {string} map name of the map @param {number} row @param {number} column */
  hasTaken(map, row, column) {
    return this.walk.taken.has(takenAt(map, row, column));
  }
  /** Say something. @param {string} message */
  say(message) {
    this.walk = { ...this.walk, message };
  }
  /** Begin at the nearest cell to a place that one can stand on; false while none is drawn. @param {NameAt} nameAt @param {number} row @param {number} column */
  begin(nameAt, row, column) {
    for (let reach = 0; reach <= REACH; reach++)
      for (let r = -reach; r <= reach; r++)
        for (let c = -reach; c <= reach; c++) {
          if (Math.max(Math.abs(r), Math.abs(c)) !== reach) continue;
          const name = nameAt(row + r, column + c);
          if (name === null) return false;
          if (SOLID.includes(name) || COLLECTED.includes(name)) continue;
          this.walk = { ...this.walk, row: row + r, column: column + c };
          return true;
        }
    this.say("Nobody can stand here: drag the map to some floor first.");
    return false;
  }
  /** Take a step, or cast a spell. @param {string} map name of the map @param {NameAt} nameAt @param {number} move @returns {"moved" | "cast" | "blocked" | "waiting"} */
  step(map, nameAt, move) {
    const before = this.walk, after = step(before, move, nameAt, map);
    if (!after) return "waiting";
    this.walk = after;
    return after.charges < before.charges ? "cast" : after.steps > before.steps ? "moved" : "blocked";
  }
  /** Find the shortest way to a cell; empty if there is none near. @param {string} map @param {NameAt} nameAt @param {number} row @param {number} column @param {number} [sight] cells that the figure sees @returns {number[]} steps */
  wayTo(map, nameAt, row, column, sight = Infinity) {
    const { walk } = this;
    /** @type {Map<string, [number, number, number] | null>} cell before each cell, and the step from there */
    const before = new Map([[`${walk.row},${walk.column}`, null]]);
    const open = (/** @type {number} */ r, /** @type {number} */ c) => Math.hypot(r - walk.row, c - walk.column) <= sight && (this.hasTaken(map, r, c) || !SOLID.includes(nameAt(r, c) ?? "wall"));
    const queue = [[walk.row, walk.column]];
    for (let at = 0; at < queue.length && at < FARTHEST && !before.has(`${row},${column}`); at++)
      WAYS.forEach(([down, right], move) => {
        const [r, c] = [queue[at][0] + down, queue[at][1] + right];
        if (before.has(`${r},${c}`) || !open(r, c)) return;
        before.set(`${r},${c}`, [queue[at][0], queue[at][1], move]);
        queue.push([r, c]);
      });
    const steps = /** @type {number[]} */ ([]);
    for (let from = before.get(`${row},${column}`); from; from = before.get(`${from[0]},${from[1]}`)) steps.unshift(from[2]);
    return steps;
  }
  /** What the figure carries, in words. */
  get belongings() {
    const { keys, chests, monsters } = this.walk, some = [[keys, "key"], [chests, "chest"], [monsters, "monster"]].filter(([count]) => Number(count) > 0);
    return some.map(([count, name]) => `${count} ${name}${count === 1 ? "" : "s"}`).join(", ");
  }
}

// one letter a pixel: hat, skin, coat, boots
const FIGURE = ["..hhhh..", ".hhhhhh.", "..ssss..", "..sbbs..", "..cccc..", ".cccccc.", "..cccc..", "..b..b.."];
/** @type {Record<string, string>} */
const COLOURS = { h: "#d9481c", s: "#f2c9a0", c: "#2f6ea8", b: "#3a2a22" };

/** Draw the figure into a cell. @param {CanvasRenderingContext2D} brush @param {number} left @param {number} top @param {number} size */
export function drawFigure(brush, left, top, size) {
  const pixel = size / FIGURE.length;
  FIGURE.forEach((line, row) => [...line].forEach((letter, column) => {
    if (!COLOURS[letter]) return;
    brush.fillStyle = COLOURS[letter];
    brush.fillRect(Math.floor(left + column * pixel), Math.floor(top + row * pixel), Math.ceil(pixel), Math.ceil(pixel));
  }));
}
/** Darken what is far from the figure. @param {CanvasRenderingContext2D} brush @param {number} x @param {number} y @param {number} cell @param {number} radius in cells @param {number} dark from 0 to 1 */
export function drawLight(brush, x, y, cell, radius = 10, dark = 0.8) {
  const light = brush.createRadialGradient(x, y, 0.3 * radius * cell, x, y, radius * cell);
  light.addColorStop(0, "rgb(12 9 18 / 0)");
  light.addColorStop(1, `rgb(12 9 18 / ${dark})`);
  brush.fillStyle = light;
  brush.fillRect(0, 0, brush.canvas.width, brush.canvas.height);
}
/** @type {Record<string, number>} ways of keys */
export const KEYS = { ArrowUp: 0, ArrowRight: 1, ArrowDown: 2, ArrowLeft: 3, w: 0, d: 1, s: 2, a: 3, k: 0, l: 1, j: 2, h: 3 };
/** Return true if the maps of a model have what a dungeon needs. @param {Api.ModelDetails | null} details */
export const canPlay = (details) => Boolean(details?.endless && ["stairs up", "stairs down", "key", "locked door"].every((name) => details.image.level_names?.includes(name)));
/** The middle of the cell of a figure. @param {Figure} figure */
export const centreOf = ({ walk: { row, column } }) => ({ row: row + 0.5, column: column + 0.5 });
/** The way that leads most directly to a side. @param {number} down @param {number} right */
export const towards = (down, right) => (Math.abs(down) > Math.abs(right) ? (down < 0 ? 0 : 2) : right < 0 ? 3 : 1);
