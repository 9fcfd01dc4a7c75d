// The pointer and the keyboard on a board: look, hold, draw, erase.

import { holding, shown } from "./board.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./board.js").Board} Board */

export class Hand {
  /** @param {State} state @param {import("./player.js").Player} player */
  constructor(state, player) {
    this.state = state;
    this.player = player;
    /** @type {{board: Board, last: number} | null} a stroke that is being drawn */
    this.stroke = null;
    /** @type {(() => void) | null} undoes what the last press did */
    this.undo = null;
    this.resting = false;
  }

  /** Undo the last press, and see nothing until `wake`: fingers zoom. */
  rest() {
    if (!this.resting) this.undo?.();
    this.undo = this.stroke = this.state.hover = null;
    this.resting = true;
    this.state.stroke = 0;
    this.state.changed();
  }

  wake() {
    this.resting = false;
  }

  /** @param {number} place of the board @param {number | null} pixel @param {PointerEvent} event */
  pointer(place, pixel, event) {
    const { state } = this;
    if (this.resting || !event.isPrimary) return; // a second finger draws nothing
    if (event.type === "pointerdown") {
      const { pin, view, at, history } = state;
      const { past, now, future } = history;
      this.undo = () => {
        Object.assign(history, { past, now, future });
        Object.assign(state, { pin, view, at });
      };
      state.choose(place);
      if (event.button === 0 && pixel !== null) this.#down(pixel, event);
    } else if (event.type === "pointermove") this.#move(place, pixel);
    else if (event.type === "pointerleave") this.hover(place, null);
    else this.lift();
  }

  /** @param {number} pixel @param {PointerEvent} event */
  #down(pixel, event) {
    const { state } = this;
    if (state.tool === "look") return this.pin(pixel);
    if (event.altKey) return this.pick(pixel);
    if (event.target instanceof Element) event.target.setPointerCapture(event.pointerId);
    this.#begin(pixel);
  }

  /** @param {number} place @param {number | null} pixel */
  #move(place, pixel) {
    if (this.stroke) {
      if (pixel !== null) this.#line(pixel);
    } else this.hover(place, pixel);
  }

  /** @param {number} place @param {number | null} pixel */
  hover(place, pixel) {
    const { hover } = this.state;
    if (pixel === (hover?.pixel ?? null) && (pixel === null || place === hover?.place)) return;
    this.state.hover = pixel === null ? null : { place, pixel };
    this.state.changed();
  }

  /** Hold a pixel, or let it go. @param {number} pixel */
  pin(pixel) {
    const { state } = this;
    const channels = state.board?.details.image.channels ?? 1;
    if (state.playing) this.player.pause();
    const same = state.pin?.pixel === pixel;
    state.pin = same ? null : { pixel, choice: Array(channels).fill(null) };
    if (same && (state.view === "look" || state.view === "shift")) state.view = "image";
    state.changed();
  }

  /** Take the colour that is there. @param {number} pixel */
  pick(pixel) {
    const { board, at } = this.state;
    if (!board) return;
    const image = shown(board, at);
    if (!image.known[pixel]) return;
    const size = image.known.length;
    this.state.ink = this.state.ink.map((_, c) => image.levels[c * size + pixel]);
    this.state.changed();
  }

  /** The pencil, or the eraser, on one pixel: for the keyboard. @param {number} pixel */
  dab(pixel) {
    this.#begin(pixel);
    this.lift();
  }

  /** @param {number} pixel */
  #begin(pixel) {
    const { state } = this;
    if (!state.board) return;
    const { levels, known } = shown(state.board, state.at);
    const board = holding(state.board, levels.slice(), known.slice());
    state.replace(board);
    this.stroke = { board, last: pixel };
    this.#line(pixel);
  }

  /** End the stroke: a new board, so that what was asked about it meanwhile is not taken for the whole. */
  lift() {
    const { state, stroke } = this;
    if (!stroke) return;
    this.stroke = null;
    state.stroke = 0;
    const boards = state.boards.map((board) => (board === stroke.board ? { ...board } : board));
    state.history.now = { ...state.history.now, boards };
    state.changed();
  }

  /** From the last pixel of the stroke to this one. @param {number} pixel */
  #line(pixel) {
    const { state, stroke } = this;
    if (!stroke) return;
    const { width } = stroke.board;
    const [fromRow, fromColumn] = [Math.floor(stroke.last / width), stroke.last % width];
    const [down, across] = [Math.floor(pixel / width) - fromRow, (pixel % width) - fromColumn];
    const steps = Math.max(1, Math.abs(down), Math.abs(across));
    for (let i = 0; i <= steps; i++)
      this.#dot(Math.round(fromRow + (down * i) / steps), Math.round(fromColumn + (across * i) / steps), stroke.board);
    stroke.last = pixel;
    state.stroke++;
    state.hover = { place: state.active, pixel };
    state.changed();
  }

  /** @param {number} row @param {number} column @param {Board} board */
  #dot(row, column, board) {
    const { brush, tool, ink } = this.state;
    const size = board.known.length;
    const from = -Math.floor((brush - 1) / 2);
    for (let r = row + from; r < row + from + brush; r++)
      for (let c = column + from; c < column + from + brush; c++) {
        if (r < 0 || c < 0 || r >= board.height || c >= board.width) continue;
        const pixel = r * board.width + c;
        board.known[pixel] = tool === "pencil" ? 1 : 0;
        ink.forEach((level, channel) => (board.levels[channel * size + pixel] = tool === "pencil" ? level : 0));
      }
  }
}
