// A figure that walks through an endless map: doors open, locked ones with a key, chests are emptied, stairs lead to another map.

/** @typedef {(row: number, column: number) => string | null} NameAt name of the level of a cell; null while it is drawn */
/** @typedef {"moved" | "blocked" | "waiting"} Step */

const SOLID = ["outside", "wall", "water", "tree", "locked door"];
const COLLECTED = ["key", "chest", "monster", "locked door"]; // gone once the figure has been there
const REACH = 24; // cells: how far from the middle of the view a place to begin is looked for
const FARTHEST = 4000; // cells that are looked at for a way to where one points
const WAYS = /** @type {const} */ ([[-1, 0], [1, 0], [0, -1], [0, 1]]);

export class Figure {
  constructor() {
    this.row = 0;
    this.column = 0;
    this.keys = this.chests = this.monsters = 0;
    /** @type {Set<string>} cells whose thing was taken, by map */
    this.taken = new Set();
    this.message = "";
  }

  /** Return true if the thing of a cell was taken. @param {string} map name of the map @param {number} row @param {number} column */
  hasTaken(map, row, column) {
    return this.taken.has(`${map}:${row},${column}`);
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
          Object.assign(this, { row: row + r, column: column + c });
          return true;
        }
    this.message = "Nobody can stand here: drag the map to some floor first.";
    return false;
  }

  /** Take a step. @param {string} map name of the map @param {NameAt} nameAt @param {number} down @param {number} right @returns {Step} */
  step(map, nameAt, down, right) {
    const [row, column] = [this.row + down, this.column + right];
    const name = this.hasTaken(map, row, column) ? "floor" : nameAt(row, column);
    if (name === null) return "waiting";
    if (name === "locked door" && this.keys === 0) return this.#blocked("The door is locked: find a key.");
    if (SOLID.includes(name) && name !== "locked door") return this.#blocked("");
    this.message = name.startsWith("stairs") ? "Press Enter to take the stairs." : "";
    if (name === "locked door") {
      this.keys--;
      this.message = "The key turns.";
    } else if (name === "key") this.keys++;
    else if (name === "chest") this.chests++;
    else if (name === "monster") this.monsters++;
    if (COLLECTED.includes(name)) this.taken.add(`${map}:${row},${column}`);
    Object.assign(this, { row, column });
    return "moved";
  }

  /** @param {string} message @returns {Step} */
  #blocked(message) {
    this.message = message;
    return "blocked";
  }

  /** Find the shortest way to a cell; empty if there is none near. @param {string} map @param {NameAt} nameAt @param {number} row @param {number} column @returns {[number, number][]} steps */
  wayTo(map, nameAt, row, column) {
    /** @type {Map<string, [number, number, number, number] | null>} cell before each cell, and the step from there */
    const before = new Map([[`${this.row},${this.column}`, null]]);
    const open = (/** @type {number} */ r, /** @type {number} */ c) => this.hasTaken(map, r, c) || !SOLID.includes(nameAt(r, c) ?? "wall");
    const queue = [[this.row, this.column]];
    for (let at = 0; at < queue.length && at < FARTHEST && !before.has(`${row},${column}`); at++)
      for (const [down, right] of WAYS) {
        const [r, c] = [queue[at][0] + down, queue[at][1] + right];
        if (before.has(`${r},${c}`) || !open(r, c)) continue;
        before.set(`${r},${c}`, [queue[at][0], queue[at][1], down, right]);
        queue.push([r, c]);
      }
    /** @type {[number, number][]} */
    const steps = [];
    for (let from = before.get(`${row},${column}`); from; from = before.get(`${from[0]},${from[1]}`)) steps.unshift([from[2], from[3]]);
    return steps;
  }

  /** What the figure carries, in words. */
  get belongings() {
    const some = [[this.keys, "key"], [this.chests, "chest"], [this.monsters, "monster"]].filter(([count]) => Number(count) > 0);
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

/** Darken what is far from the figure. @param {CanvasRenderingContext2D} brush @param {number} x @param {number} y @param {number} cell */
export function drawLight(brush, x, y, cell) {
  const light = brush.createRadialGradient(x, y, 3 * cell, x, y, 10 * cell);
  light.addColorStop(0, "rgb(12 9 18 / 0)");
  light.addColorStop(1, "rgb(12 9 18 / 0.8)");
  brush.fillStyle = light;
  brush.fillRect(0, 0, brush.canvas.width, brush.canvas.height);
}
