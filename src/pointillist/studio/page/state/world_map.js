// The parts of an endless map that the page has, as they were drawn and as they were changed by hand.

import { decodeLevels } from "../transport/encoded_arrays.js";
import { cellOf } from "./map_edits.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {{seed: number, rules: Api.MapRules | null}} Declared what a map is drawn from, besides its model */

export const CHUNK = 32; // cells of a request: a side of what the model draws at once
const MOST = 400; // chunks that the page keeps

export class WorldMap {
  /** @param {State} state @param {import("../transport/api.js").Server} server @param {(error: Error | null) => void} arrived called when a part has come, or has failed */
  constructor(state, server, arrived) {
    this.state = state;
    this.server = server;
    this.arrived = arrived;
    /** @type {Map<string, {levels: Uint8Array | Uint16Array} | null>} parts by model, seed, rules and place; null while one is drawn */
    this.parts = new Map();
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
    const [y, x] = [Math.floor(row / CHUNK), Math.floor(column / CHUNK)];
    const part = this.part(declared, x, y);
    return part && (this.changed(declared.seed, row, column) ?? part.levels[(row - y * CHUNK) * CHUNK + (column - x * CHUNK)]);
  }

  /** Return the level to which a cell was changed by hand. @param {number} seed @param {number} row @param {number} column */
  changed(seed, row, column) {
    return this.state.mapEdits.get(cellOf(this.state.modelId, seed, row, column));
  }

  /** @param {string} key @param {Declared} declared @param {number} x @param {number} y */
  async #ask(key, { seed, rules }, x, y) {
    while (this.parts.size >= MOST) this.parts.delete(/** @type {string} */ (this.parts.keys().next().value));
    this.parts.set(key, null);
    try {
      const { levels } = await this.server.world(this.state.modelId, { seed, row: y * CHUNK, column: x * CHUNK, height: CHUNK, width: CHUNK, rules });
      this.parts.set(key, { levels: decodeLevels(levels) });
      this.arrived(null);
    } catch (error) {
      this.arrived(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
