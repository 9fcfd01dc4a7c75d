// The boards side by side, as large as they fit, and the scale of what lies over them.

import { gradient } from "./colour.js";
import { NAMES, toldInWords } from "./asking.js";
import { holdsAnything } from "./board.js";
import { fixed, h, refill, say } from "./dom.js";
import { Gestures } from "./gestures.js";
import { overlayOf } from "./maps.js";
import { BoardView } from "./view.js";

/** @typedef {import("./state.js").State} State */

const GAP = 20;
const CAPTION = 30;
const EDGE = 12;

/** How many columns let so many boards be largest, and the pixels of the screen for one of an image. */
export class Stage {
  /**
   * @param {State} state @param {import("./questions.js").Questions} questions @param {import("./hand.js").Hand} hand
   * @param {HTMLElement} zoom its buttons
   */
  constructor(state, questions, hand, zoom) {
    this.state = state;
    this.questions = questions;
    this.hand = hand;
    /** @type {BoardView[]} */
    this.views = [];
    this.boards = h("div", { className: "boards" });
    this.legend = h("div", { className: "legend" });
    this.words = h("p", { className: "words" });
    /** @type {import("./state.js").Work | null} */
    this.work = null;
    this.table = h("div", { className: "table" }, this.boards);
    this.el = h("section", { className: "stage", "aria-label": "Canvases" }, this.table, h("div", { className: "status" }, this.legend, this.words, zoom));
    this.gestures = new Gestures(this.table, this.boards, state, hand);
    new ResizeObserver(() => state.changed()).observe(this.table);
  }

  update() {
    const { state } = this;
    while (this.views.length < state.boards.length) this.#add(this.views.length);
    this.views.forEach((view, i) => (view.el.hidden = i >= state.boards.length));
    this.gestures.hold();
    const { columns, scale } = this.#layout();
    this.boards.style.setProperty("--columns", String(columns));
    state.boards.forEach((board, i) => {
      const overlay = overlayOf(state, this.questions, board, i === state.active);
      this.views[i].update(state, board, i, scale, overlay);
    });
    this.gestures.settle();
    if (state.follow) this.views[state.active].marks[1].scrollIntoView({ block: "nearest", inline: "nearest" });
    state.follow = false;
    this.el.classList.toggle("drawing", state.tool !== "look");
    this.#legend();
    this.words.hidden = state.view !== "image";
    say(this.words, state.board ? wordsOf(state, state.board) : "");
    if (state.work && state.work !== this.work) this.el.scrollIntoView({ block: "nearest" }); // on a narrow screen
    this.work = state.work;
  }

  /** @param {number} place */
  #add(place) {
    const view = new BoardView((pixel, event) => this.hand.pointer(place, pixel, event));
    view.image.addEventListener("focus", () => this.state.choose(place));
    this.views.push(view);
    this.boards.append(view.el);
  }

  #layout() {
    const { boards, zoom } = this.state;
    const count = Math.max(1, boards.length);
    const height = Math.max(1, ...boards.map((board) => board.height));
    const width = Math.max(1, ...boards.map((board) => board.width));
    const room = { width: this.table.clientWidth - 2 * EDGE, height: this.table.clientHeight - 2 * EDGE };
    let best = { columns: 1, scale: 0, worth: 0 };
    for (let columns = 1; columns <= count; columns++) {
      const rows = Math.ceil(count / columns);
      const across = (room.width - GAP * (columns - 1)) / columns / width;
      const down = (room.height - GAP * (rows - 1) - CAPTION * rows) / rows / height;
      const scale = Math.min(across, down);
      const worth = scale * Math.sqrt(count / (columns * rows)); // a full grid is worth a little size
      if (worth > best.worth) best = { columns, scale, worth };
    }
    const steps = window.devicePixelRatio || 1; // whole pixels of the device, so that all are of one size
    const fit = best.scale >= 1 ? Math.floor(best.scale * steps) / steps : best.scale;
    const scale = Math.max(fit, 0.25) * zoom;
    return { columns: best.columns, scale: zoom > 1 && scale >= 4 ? Math.round(scale * steps) / steps : scale };
  }

  #legend() {
    const { state } = this;
    const { view, board } = state;
    this.legend.hidden = view === "image";
    if (!board || view === "image") return;
    const top = board.details.bits_top;
    const look = view === "look" && state.pin ? this.questions.look(board, state.pin.pixel) : null;
    const known = look && !(look instanceof Error) ? look : null;
    const key = [view, top, known?.top, known?.signed].join();
    refill(this.legend, key, () => {
      const bar = h("i", { className: "ramp" });
      bar.style.background = gradient(view === "look" && known?.signed !== false);
      const end = known ? `${known.top.toPrecision(2)}` : `${top}`;
      const low = known?.signed ? `\u2212${end}` : "0";
      const strength = h("input", {
        type: "range", min: "0.1", max: "1", step: "0.05", value: String(state.strength), title: "How strongly the map covers the image", "aria-label": "How strongly the map covers the image", className: "strength",
        oninput: (/** @type {any} */ event) => {
          state.strength = Number(event.target.value);
          state.changed();
        },
      });
      return [h("span", { className: "ends" }, h("b", {}, low), bar, h("b", {}, end)), h("span", { className: "what" }, MEANING[view](known), board.details.image.channels > 1 && ", mean of channels"), strength];
    });
  }
}

/** What a board is. @param {State} state @param {import("./board.js").Board} board */
function wordsOf(state, board) {
  if (!state.details) return "";
  if (!holdsAnything(board)) return state.work ? "" : "Nothing is painted yet: press Paint, draw with the pencil, or drop a picture here.";
  const { draw, settings, trace } = board;
  const told = toldInWords(board.told, board.details.conditions);
  const bent = Object.entries(NAMES).map(([key, name]) => [name, settings[/** @type {"guidance"} */ (key)]]).filter(([, value]) => value !== 1);
  return [
    told && `asked for ${told}`, draw && `seed ${draw.seed}`, draw?.index && `image ${draw.index + 1} of that seed`, ...bent.map((pair) => pair.join(" ")),
    trace?.painted && `${fixed(trace.painted.bits, 1)} bits, ${fixed(trace.painted.bits_per_dim)} a ${trace.channels > 1 ? "channel" : "pixel"}`,
  ].filter(Boolean).join(" · ");
}

/** @type {Record<string, (look: Api.Look | null) => string>} */
const MEANING = {
  entropy: () => "bits that the model expected",
  surprise: () => "bits that came",
  look: (look) => (look ? `what the pixel looked at: ${look.unit}` : "what the pixel looked at"),
  shift: () => "bits by which distributions move",
};
