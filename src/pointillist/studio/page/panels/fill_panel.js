// The candidates of a fill below the canvases: thumbnails, likeliest first, and how they were drawn.

import { formatFixed, html, setText, updateChildren } from "../shared/dom.js";
import { drawImage } from "../canvas/draw_image.js";

/** @typedef {import("../state/state.js").State} State */

/** @type {[State["fillMethod"], string][]} */
const METHODS = [["auto", "everything known counts"], ["sequential", "in order only (fast)"]];

export class FillPanel {
  /** @param {State} state @param {import("../transport/filler.js").Filler} filler */
  constructor(state, filler) {
    this.state = state;
    this.filler = filler;
    this.list = html("ul", { className: "candidates", role: "radiogroup", "aria-label": "Candidates, likeliest first" });
    this.message = html("p", { className: "note", role: "status" });
    const options = METHODS.map(([value, name]) => html("option", { value }, name));
    this.method = html("select", { "aria-label": "What counts when a hole is filled", onchange: () => (state.fillMethod = /** @type {State["fillMethod"]} */ (this.method.value)) }, ...options);
    const again = html("button", { type: "button", title: "Other candidates for the same hole", onclick: () => filler.start() }, "Fill again");
    const undo = html("button", { type: "button", title: "Back to the hole (Ctrl+Z)", onclick: () => this.#undo() }, "Undo");
    const keep = html("button", { type: "button", onclick: () => this.#close() }, "Keep");
    this.el = html("section", { className: "fill-panel", "aria-label": "Fill" }, this.list, html("div", { className: "row" }, this.message, again, undo, keep, this.method));
  }

  update() {
    const { fill } = this.filler;
    const appears = this.el.hidden && fill !== null;
    this.el.hidden = fill === null;
    this.method.value = this.state.fillMethod;
    if (!fill) return;
    setText(this.message, fill.result.message);
    const chosen = fill.canvases.findIndex((canvas) => canvas === this.state.canvas);
    const key = [fill.result.seed, fill.result.method, fill.result.seconds, chosen].join();
    const focused = this.list.contains(document.activeElement);
    updateChildren(this.list, key, () => fill.canvases.map((canvas, i) => this.#candidate(canvas, i, i === chosen)));
    if (appears) this.el.scrollIntoView({ block: "nearest" }); // needed in a low window
    if (focused) /** @type {HTMLElement} */ (this.list.children[chosen]?.firstElementChild)?.focus();
  }

  /** @param {import("../canvas/canvas_model.js").Canvas} canvas @param {number} index @param {boolean} chosen */
  #candidate(canvas, index, chosen) {
    const picture = html("canvas", {});
    drawImage(picture, canvas.details.image, canvas, canvas.height, canvas.width);
    const bits = `${formatFixed(canvas.filled?.bits ?? 0, 1)} bits`;
    const button = html("button", { type: "button", role: "radio", "aria-checked": chosen, "aria-label": `Candidate ${index + 1}, ${bits} for the hole`, tabIndex: chosen ? 0 : -1, onclick: () => this.filler.choose(index) }, picture, html("small", {}, bits));
    button.addEventListener("keydown", (event) => {
      const step = event.key === "ArrowRight" || event.key === "ArrowDown" ? 1 : event.key === "ArrowLeft" || event.key === "ArrowUp" ? -1 : 0;
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      const count = this.filler.fill?.canvases.length ?? 1;
      this.filler.choose((index + step + count) % count);
    });
    return html("li", { role: "presentation" }, button);
  }

  #undo() {
    if (this.state.history.undo()) this.state.resetView();
    this.state.changed();
  }

  #close() {
    this.state.fill = null;
    this.state.changed();
  }
}
