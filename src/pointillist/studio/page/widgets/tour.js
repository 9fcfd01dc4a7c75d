// A tour of two minutes: one sentence at a time, each followed by something to do.

import { isComplete, visibleImage } from "../canvas/canvas_model.js";
import { html, setText } from "../shared/dom.js";

/** @typedef {import("../state/state.js").State} State */
/** @typedef {{text: string, done: (state: State) => boolean}} Step `done`: whether the user has done it */

/** @type {Step[]} */
const STEPS = [
  { text: "This model paints an image pixel by pixel, each from the pixels before it. Press Paint and watch.", done: (state) => state.work !== null || state.length > 0 },
  { text: "Press the round button (or the space bar) to pause. The panel on the right shows the newest pixel: how likely the model held every level, and in orange what it drew.", done: (state) => state.length > 0 && !state.playing },
  { text: "Let it finish. Then press Surprise: bright pixels were unlikely. 1 bit of surprise is a coin toss, 10 bits a chance of 1 in 1,024.", done: (state) => state.view === "surprisal" },
  { text: "Press Image, and click a pixel to hold it. Why is it dark, or light? The bars are its distribution, and the small map shows which earlier pixels it depends on.", done: (state) => state.heldPixel !== null },
  { text: "Click another bar: what if the pixel were that? The page says what it costs in bits.", done: (state) => state.heldPixel?.choice.some((level) => level !== null) ?? false },
  { text: "Press Repaint from here: the model keeps all before the pixel, and paints the rest anew.", done: (state) => state.heldPixel === null },
  { text: "Take the eraser, rub a hole into the image, and press Fill. The model offers several ways to complete it, the likeliest first.", done: (state) => state.fill !== null && state.canvas !== undefined && isComplete(visibleImage(state.canvas)) },
  { text: "That is all: what you saw is a chain of distributions and draws, nothing else. Save what you like; your browser keeps the rest.", done: () => false },
];

export class Tour {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    /** @type {number | null} */
    this.at = null;
    this.text = html("p", { role: "status" });
    this.count = html("small", {});
    this.next = html("button", { type: "button", className: "strong", onclick: () => this.#go(1) });
    const back = html("button", { type: "button", onclick: () => this.#go(-1) }, "Back");
    const end = html("button", { type: "button", onclick: () => this.#end() }, "End the tour");
    this.back = back;
    this.el = html("section", { className: "tour", "aria-label": "Tour", hidden: true }, this.text, html("div", { className: "row" }, this.next, back, end, this.count));
  }

  start() {
    this.at = 0;
    this.state.changed();
  }

  update() {
    const { at, state } = this;
    this.el.hidden = at === null;
    if (at === null) return;
    const step = STEPS[at];
    setText(this.text, step.text);
    setText(this.count, `${at + 1} of ${STEPS.length}`);
    this.back.disabled = at === 0;
    setText(this.next, at === STEPS.length - 1 ? "Done" : step.done(state) ? "Next" : "Skip");
    this.next.classList.toggle("quiet", !step.done(state) && at < STEPS.length - 1);
  }

  /** @param {number} steps */
  #go(steps) {
    const at = (this.at ?? 0) + steps;
    if (at >= STEPS.length) return this.#end();
    this.at = Math.max(0, at);
    this.state.changed();
  }

  #end() {
    this.at = null;
    this.state.tourSeen = true;
    this.state.changed();
  }
}
