// What was painted in this sitting, and taking it home.

import { shown } from "./board.js";
import { h, isDark, refill } from "./dom.js";
import { drawImage } from "./picture.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Kept} Kept */

export class Gallery {
  /** @param {State} state @param {import("./keeping.js").Keeping} keeping @param {import("./bringing.js").Bringing} bringing */
  constructor(state, keeping, bringing) {
    this.state = state;
    this.keeping = keeping;
    const keep = (/** @type {string} */ name, /** @type {string} */ title, /** @type {() => unknown} */ act) => h("button", { type: "button", title, onclick: () => this.#try(act) }, name);
    const hand = () => /** @type {import("./board.js").Board} */ (state.board);
    this.exact = keep("PNG", "Every pixel as it is", () => keeping.png(hand(), 1));
    this.large = keep("PNG large", "Every pixel as a square", () => keeping.png(hand(), keeping.scale(hand())));
    this.gif = keep("GIF", "How it was painted", () => keeping.gif(hand(), isDark(this.el)));
    this.recipe = keep("Recipe", "A small file from which the very same image can be painted again", () => keeping.recipe(hand()));
    const again = keep("Open a recipe", "Paint a recipe again, and see whether the same comes out", () => bringing.choose());
    this.actions = h("div", { className: "keep", role: "group", "aria-label": "Keep the canvas in hand" }, h("h2", {}, "Keep"), this.exact, this.large, this.gif, this.recipe, again);
    this.list = h("ul", { className: "kept", "aria-label": "Painted in this sitting" });
    this.el = h("section", { className: "gallery", "aria-label": "Keep" }, this.actions, this.list);
    this.serial = new WeakMap();
    this.count = 0;
  }

  update() {
    const { state } = this;
    const { picture, gif, recipe } = this.keeping.possible;
    this.exact.disabled = this.large.disabled = !picture;
    this.gif.disabled = !gif;
    this.recipe.disabled = !recipe;
    const shownBoards = state.boards;
    const key = [...state.kept.map((kept) => this.#number(kept)), "/", ...state.kept.map((kept) => Number(shownBoards.includes(kept.board)))].join();
    refill(this.list, key, () => (state.kept.length ? state.kept.map((kept) => this.#item(kept)) : [h("li", { className: "none" }, "What you paint gathers here until you close the page.")]));
  }

  /** @param {Kept} kept */
  #number(kept) {
    if (!this.serial.has(kept)) this.serial.set(kept, ++this.count);
    return this.serial.get(kept);
  }

  /** @param {Kept} kept */
  #item(kept) {
    const { board, name } = kept;
    const canvas = h("canvas", {});
    drawImage(canvas, board.details.image, shown(board), board.height, board.width);
    const bits = board.trace?.painted ? `, ${board.trace.painted.bits.toFixed(1)} bits` : "";
    const text = `${name}${bits}`;
    const there = this.state.boards.includes(board);
    return h("li", {}, h("button", { type: "button", title: text, "aria-label": `Show again: ${text}`, "aria-pressed": there, onclick: () => this.state.show([board]) }, canvas));
  }

  /** @param {() => unknown} act */
  async #try(act) {
    try {
      await act();
    } catch (error) {
      this.state.note("error", error instanceof Error ? error.message : String(error));
    }
  }
}
