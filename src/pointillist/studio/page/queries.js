// Questions about pixels, one at a time: while the pointer runs ahead, only the newest is asked.

import { pack } from "./arrays.js";
import { questionOf, shown } from "./board.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./board.js").Board} Board */

/**
 * Answers of one kind, kept as long as their board.
 * @template T
 */
class Answers {
  /** @type {WeakMap<Board, Map<string, T | Error>>} */
  #kept = new WeakMap();

  /** @param {Board} board @param {string} key */
  get(board, key) {
    return this.#kept.get(board)?.get(key);
  }

  /** @param {Board} board @param {string} key @param {T | Error} answer */
  set(board, key, answer) {
    const found = this.#kept.get(board) ?? new Map();
    this.#kept.set(board, found.set(key, answer));
  }
}

/**
 * Asks when it is free, and only for what was wanted last.
 * @template T
 */
class Line {
  /** @type {Answers<T>} */
  #answers = new Answers();
  #busy = false;
  /** @type {(() => void) | null} */
  #next = null;

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  /**
   * The answer, or null while it is on its way.
   * @param {Board} board @param {string} key @param {() => Promise<T>} ask
   * @returns {T | Error | null}
   */
  want(board, key, ask) {
    const there = this.#answers.get(board, key);
    if (there !== undefined) return there;
    const go = () => this.#go(board, key, ask);
    if (this.#busy) this.#next = go;
    else go();
    return null;
  }

  /** @param {Board} board @param {string} key @param {() => Promise<T>} ask */
  async #go(board, key, ask) {
    this.#busy = true;
    this.#next = null;
    const answer = await ask().catch((/** @type {unknown} */ error) => (error instanceof Error ? error : new Error(String(error))));
    this.#answers.set(board, key, answer);
    this.#busy = false;
    const next = /** @type {(() => void) | null} */ (this.#next);
    if (next) next();
    this.changed();
  }
}

export class Questions {
  /** @param {State} state @param {import("./api.js").Server} server */
  constructor(state, server) {
    this.server = server;
    const changed = () => state.changed();
    /** @type {Line<Api.PixelAnswer>} */
    this.pixels = new Line(changed);
    /** @type {Line<Api.Look>} */
    this.looks = new Line(changed);
    /** @type {Line<Api.Maps>} */
    this.maps = new Line(changed);
    /** @type {Line<Api.ChangeAnswer>} */
    this.changes = new Line(changed);
  }

  /** The distributions of a pixel. @param {Board} board @param {number} pixel */
  pixel(board, pixel) {
    const { guidance, temperature, top_p } = board.settings;
    const place = { row: Math.floor(pixel / board.width), column: pixel % board.width };
    const ask = () => this.server.pixel(board.model, { ...this.#question(board), ...place, guidance, temperature, top_p });
    return this.pixels.want(board, String(pixel), ask);
  }

  /** What a pixel looked at. @param {Board} board @param {number} pixel */
  look(board, pixel) {
    const place = { row: Math.floor(pixel / board.width), column: pixel % board.width };
    return this.looks.want(board, String(pixel), () => this.server.look(board.model, { ...this.#question(board), ...place }));
  }

  /** A whole image in bits. @param {Board} board */
  score(board) {
    return this.maps.want(board, "", () => this.server.score(board.model, this.#question(board)));
  }

  /** In which order its pixels are painted. @param {Board} board @returns {Promise<Api.Maps | Error>} */
  order(board) {
    return this.server.score(board.model, this.#question(board)).catch((error) => error);
  }

  /** What if a pixel had other levels. @param {Board} board @param {number} pixel @param {number[]} levels */
  change(board, pixel, levels) {
    const [row, column] = [Math.floor(pixel / board.width), pixel % board.width];
    const changes = levels.map((level, channel) => ({ row, column, channel, level }));
    const ask = () => this.server.change(board.model, { ...this.#question(board), changes });
    return this.changes.want(board, `${pixel}:${levels.join()}`, ask);
  }

  /** @param {Board} board */
  #question(board) {
    const shape = [board.details.image.channels, board.height, board.width];
    return questionOf(board, pack(shown(board).levels, shape));
  }
}
