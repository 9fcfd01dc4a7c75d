// The candidates of a fill below the canvases: thumbnails as they were drawn, identical ones once, and how they were drawn.

import { formatFixed, html, reveal, setText, updateChildren } from "../shared/dom.js";
import { pictureOf } from "../canvas/draw_image.js";

/** @type {[State["fillMethod"], string][]} */
const METHODS = [["auto", "everything known counts"], ["sequential", "in order only (fast)"]];

const FLASH = 2000; // milliseconds that the pixels of the user are outlined after a fill

export class FillPanel {
  /** @param {State} state @param {import("../transport/filler.js").Filler} filler */
  constructor(state, filler) {
    this.state = state;
    this.filler = filler;
    this.timer = 0; // of the outline of known pixels
    this.list = html("ul", { className: "candidates", role: "radiogroup", "aria-label": "Candidates, as they were drawn" });
    this.message = html("p", { className: "note", role: "status" });
    const options = METHODS.map(([value, name]) => html("option", { value }, name));
    this.method = html("select", { "aria-label": "What counts when a hole is filled", onchange: () => (state.fillMethod = /** @type {State["fillMethod"]} */ (this.method.value)) }, ...options);
    const again = html("button", { type: "button", title: "Other candidates for the same hole", onclick: () => filler.start() }, "Fill again");
    const undo = html("button", { type: "button", title: "Back to the hole (Ctrl+Z)", onclick: () => this.#undo() }, "Undo");
    this.differ = html("button", { type: "button", title: "Bright where the candidates differ", onclick: () => this.#differ() }, "Differences");
    this.marked = html("button", { type: "button", className: "my-pixels", title: "Outline the pixels that were there before", onclick: () => this.#markKnown() }, "My pixels");
    const keep = html("button", { type: "button", onclick: () => this.#close() }, "Keep");
    this.el = html("section", { className: "fill-panel", "aria-label": "Fill" }, this.list, html("div", { className: "row" }, this.message, this.marked, this.differ, again, undo, keep, this.method));
  }

  update() {
    const { fill } = this.filler;
    const appears = this.el.hidden && fill !== null;
    this.el.hidden = fill === null;
    this.method.value = this.state.fillMethod;
    if (!fill) return;
    const drawn = fill.result.candidates.length;
    const agree = fill.counts.length === 1 ? `All ${drawn} agree. ` : "";
    const unruled = this.state.request.rules ? " Rules are for whole maps: none counted here." : "";
    setText(this.message, agree + fill.result.message + unruled);
    this.differ.hidden = fill.counts.length === 1;
    this.differ.setAttribute("aria-pressed", String(this.state.view === "differences"));
    const chosen = fill.canvases.findIndex((canvas) => canvas === this.state.canvas);
    const key = [fill.result.seed, fill.result.method, fill.result.seconds, chosen].join();
    const focused = this.list.contains(document.activeElement);
    updateChildren(this.list, key, () => fill.canvases.map((canvas, i) => this.#candidate(canvas, i, i === chosen, fill.counts[i], drawn)));
    this.marked.setAttribute("aria-pressed", String(this.state.marksKnown));
    if (appears) this.#flash();
    if (appears) reveal(this.el); // needed in a low window
    if (focused) /** @type {HTMLElement} */ (this.list.children[chosen]?.firstElementChild)?.focus();
  }

  /** @param {Canvas} canvas @param {number} index @param {boolean} chosen @param {number} times @param {number} drawn */
  #candidate(canvas, index, chosen, times, drawn) {
    const bits = `${formatFixed(canvas.filled?.bits ?? 0, 1)} bits`;
    const button = html("button", { type: "button", role: "radio", "aria-checked": chosen, "aria-label": `Candidate ${index + 1}, ${bits} for the hole, ${times} of ${drawn}`, tabIndex: chosen ? 0 : -1, onclick: () => this.filler.choose(index) }, pictureOf(canvas), html("small", {}, times > 1 ? `${times} of ${drawn} · ${bits}` : bits));
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

  #markKnown() {
    clearTimeout(this.timer);
    this.state.marksKnown = !this.state.marksKnown;
    this.state.changed();
  }

  /** Outline the pixels of the user for a while, as the rest may hide them. */
  #flash() {
    clearTimeout(this.timer);
    this.state.marksKnown = true;
    this.timer = window.setTimeout(() => this.state.marksKnown && this.#markKnown(), FLASH);
    this.state.changed();
  }

  #differ() {
    this.state.view = this.state.view === "differences" ? "image" : "differences";
    this.state.changed();
  }

  #undo() {
    if (this.state.history.undo()) this.state.resetView();
    this.state.changed();
  }

  #close() {
    this.state.fill = null;
    if (this.state.view === "differences") this.state.view = "image";
    this.state.changed();
  }
}
