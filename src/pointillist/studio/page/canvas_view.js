// One board on the screen: image, map, grid and marks, and which pixel is under the pointer.

import { shown } from "./board.js";
import { fixed, h, refill } from "./dom.js";
import { nameOf } from "./painter.js";
import { drawImage, fill } from "./picture.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./board.js").Board} Board */

const GRID_FROM = 7; // pixels of the screen for one of the image, below which lines would hide it

export class BoardView {
  /** @param {(pixel: number | null, event: PointerEvent) => void} onPointer */
  constructor(onPointer) {
    this.image = h("canvas", { className: "image", tabIndex: 0, role: "application" });
    this.map = h("canvas", { className: "map" });
    this.lines = h("div", { className: "lines" });
    this.marks = ["now", "hover", "pin"].map((kind) => h("div", { className: `mark ${kind}` }));
    this.frame = h("div", { className: "frame" }, this.image, this.map, this.lines, ...this.marks);
    this.caption = h("p", { className: "caption" });
    this.el = h("div", { className: "board" }, this.frame, this.caption);
    /** @type {Board | null} */
    this.board = null;
    this.drawn = "";
    for (const kind of ["pointerdown", "pointermove", "pointerup", "pointerleave", "pointercancel"])
      this.image.addEventListener(kind, (event) => onPointer(this.#pixel(/** @type {PointerEvent} */ (event)), /** @type {PointerEvent} */ (event)));
  }

  /** @param {PointerEvent} event */
  #pixel(event) {
    if (!this.board) return null;
    const box = this.image.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.board.height);
    const column = Math.floor(((event.clientX - box.left) / box.width) * this.board.width);
    const inside = row >= 0 && column >= 0 && row < this.board.height && column < this.board.width;
    return inside ? row * this.board.width + column : null;
  }

  /**
   * @param {State} state @param {Board} board @param {number} place among the boards @param {number} scale
   * @param {import("./maps.js").Overlay | null} overlay
   */
  update(state, board, place, scale, overlay) {
    const inHand = place === state.active;
    const fresh = board !== this.board;
    this.board = board;
    const image = shown(board, state.at);
    const drawn = [Math.floor(state.at), state.stroke, board.trace?.arrived].join();
    if (fresh || drawn !== this.drawn) drawImage(this.image, board.details.image, image, board.height, board.width);
    this.drawn = drawn;
    this.frame.style.setProperty("--scale", `${scale}px`);
    this.frame.style.width = `${board.width * scale}px`;
    this.frame.style.height = `${board.height * scale}px`;
    this.caption.style.maxWidth = `${board.width * scale}px`;
    this.caption.hidden = state.boards.length === 1 && !board.verdict;
    this.lines.hidden = !state.grid || scale < GRID_FROM;
    this.el.classList.toggle("in-hand", inHand && state.boards.length > 1);
    this.#drawMap(state, board, overlay);
    this.#mark(state, board, place, scale);
    this.#name(state, board, place);
  }

  /** @param {State} state @param {Board} board @param {import("./maps.js").Overlay | null} overlay */
  #drawMap(state, board, overlay) {
    this.map.hidden = overlay === null;
    if (!overlay) return;
    this.map.style.opacity = String(state.strength);
    fill(this.map, board.height, board.width, (row, column) => {
      const value = overlay.at(row * board.width + column);
      return value === null ? null : overlay.colour(value);
    });
  }

  /** @param {State} state @param {Board} board @param {number} place @param {number} scale */
  #mark(state, board, place, scale) {
    const inHand = place === state.active;
    const { trace } = board;
    const last = trace ? Math.min(Math.floor(state.at), trace.arrived) : 0;
    const now = trace && last > 0 && last < trace.length ? trace.sequence[last - 1] : null;
    const places = [now, state.hover?.place === place ? state.hover.pixel : null, inHand ? (state.pin?.pixel ?? null) : null];
    this.marks.forEach((mark, i) => {
      const pixel = places[i];
      mark.hidden = pixel === null;
      if (pixel === null) return;
      mark.style.left = `${(pixel % board.width) * scale}px`;
      mark.style.top = `${Math.floor(pixel / board.width) * scale}px`;
    });
    const brush = state.tool !== "look" ? state.brush : 1;
    this.marks[1].style.setProperty("--brush", String(brush));
  }

  /** @param {State} state @param {Board} board @param {number} place */
  #name(state, board, place) {
    const many = state.boards.length > 1;
    const bits = many && board.trace?.painted ? `${fixed(board.trace.painted.bits, 1)} bits` : "";
    const caption = board.caption || (many ? String(place + 1) : "");
    const { verdict } = board;
    refill(this.caption, [caption, bits, verdict?.text].join("|"), () => [
      [caption, bits].filter(Boolean).join(" · "), verdict ? h("b", { className: verdict.same ? "verdict same" : "verdict" }, ` ${verdict.text}`) : "",
    ]);
    const name = `Canvas ${place + 1} of ${state.boards.length}: ${nameOf(board)}, ${board.height} by ${board.width} pixels. Arrow keys choose a pixel.`;
    if (this.image.getAttribute("aria-label") !== name) this.image.setAttribute("aria-label", name);
  }
}
