// The toolbar above the canvases: views, tools, undo, zoom, and the pencil's colour.

import { colourOf, css, levelName, swatch } from "./colour.js";
import { html, updateChildren } from "./dom.js";
import { icon } from "./icons.js";
import { holdsAnything } from "./canvas_model.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./commands.js").Commands} Commands */

/** @type {[State["view"], string, string][]} */
const VIEWS = [
  ["image", "Image", "The image (1)"], ["entropy", "Entropy", "Bits that the model expects at each pixel (2)"],
  ["surprisal", "Surprise", "Bits that each pixel takes (3)"], ["saliency", "Saliency", "Pixels that the held pixel depends on (4)"], ["shift", "Shift", "Distributions that change with the held pixel's level (5)"],
];
/** @type {[State["tool"], import("./icons.js").Icon, string][]} */
const TOOLS = [["inspect", "inspect", "Inspect: point at a pixel, click to hold it (V)"], ["pencil", "pencil", "Pencil (B)"], ["eraser", "eraser", "Eraser: the model can paint erased pixels again (E)"]];
const SWATCHES = 64;

export class Toolbar {
  /** @param {State} state @param {Commands} commands @param {import("./upload.js").Uploader} uploader */
  constructor(state, commands, uploader) {
    this.state = state;
    this.commands = commands;
    this.views = VIEWS.map(([view, name, title]) => html("button", { type: "button", title, onclick: () => commands.view(view) }, name));
    this.tools = TOOLS.map(([tool, picture, title]) => button(picture, title, () => commands.tool(tool)));
    this.undo = button("undo", "Undo (Ctrl+Z)", () => commands.undo());
    this.redo = button("redo", "Redo (Ctrl+Y)", () => commands.redo());
    this.open = button("open", "Open a picture or a manifest (O); or drop it on the canvas", () => uploader.choose());
    this.clear = button("trash", "Empty the canvas", () => commands.clear());
    this.grid = button("grid", "Grid (G)", () => commands.grid());
    this.less = button("minus", "Zoom out (−)", () => commands.zoom(-1));
    this.more = button("plus", "Zoom in (+)", () => commands.zoom(1));
    this.fit = button("fit", "Fit (0)", () => commands.zoom(0));
    const group = (/** @type {string} */ label, /** @type {string} */ kind, /** @type {HTMLElement[]} */ ...parts) =>
      html("div", { className: `group ${kind}`, role: "group", "aria-label": label }, ...parts);
    this.bar = html("div", { className: "toolbar" }, group("Show", "views", ...this.views), group("Tool", "tools", ...this.tools), group("History", "tools", this.undo, this.redo), group("Canvas", "tools", this.open, this.clear));
    this.zoom = group("Zoom", "zoom", this.less, this.more, this.fit, this.grid);
    this.ink = html("div", { className: "ink" });
    this.size = html("input", { type: "range", min: "1", max: "16", "aria-label": "Size of the brush", oninput: () => commands.brush(Number(this.size.value) - state.brush) });
    this.options = html("div", { className: "options" }, html("label", { className: "brush" }, "Brush", this.size), this.ink);
    this.el = html("div", { className: "toolbars" }, this.bar, this.options);
  }

  update() {
    const { state } = this;
    VIEWS.forEach(([view], i) => {
      press(this.views[i], state.view === view);
      const available = view === "saliency" ? state.heldPixel !== null : state.heldPixel?.choice.some((level) => level !== null);
      this.views[i].hidden = (view === "saliency" || view === "shift") && !available;
    });
    TOOLS.forEach(([tool], i) => press(this.tools[i], state.tool === tool));
    this.undo.disabled = state.history.past.length === 0;
    this.redo.disabled = state.history.future.length === 0;
    this.fit.disabled = this.less.disabled = state.zoom === 1;
    press(this.grid, state.grid);
    const { canvas } = state;
    this.clear.disabled = !canvas || !holdsAnything(canvas);
    this.options.hidden = state.tool === "inspect";
    this.size.value = String(state.brush);
    this.ink.hidden = state.tool !== "pencil";
    if (state.tool === "pencil" && state.details) this.#ink(state.details.image);
  }

  /** @param {Api.ImageKind} image */
  #ink(image) {
    const { state } = this;
    updateChildren(this.ink, [state.modelId, state.ink].join(), () => {
      if (image.channels === 1 && image.levels <= SWATCHES) return Array.from({ length: image.levels }, (_, level) => this.#swatch(image, level));
      const now = html("i", { className: "now" });
      now.style.background = css(colourOf(image, state.ink));
      return [now, ...state.ink.map((level, channel) => this.#mixer(image, channel, level, now))];
    });
  }

  /** @param {Api.ImageKind} image @param {number} level */
  #swatch(image, level) {
    const one = html("button", { type: "button", className: "swatch", title: levelName(image, level), "aria-label": `Level ${levelName(image, level)}`, onclick: () => this.#take([level]) });
    one.style.background = css(swatch(image, 0, level));
    press(one, this.state.ink[0] === level);
    return one;
  }

  /** @param {Api.ImageKind} image @param {number} channel @param {number} level @param {HTMLElement} now */
  #mixer(image, channel, level, now) {
    const name = image.channel_names[channel] || "level";
    const range = html("input", {
      type: "range", min: "0", max: String(image.levels - 1), value: String(level), "aria-label": name,
      oninput: () => {
        this.state.ink[channel] = Number(range.value);
        now.style.background = css(colourOf(image, this.state.ink));
      },
    });
    return html("label", {}, name, range);
  }

  /** @param {number[]} ink */
  #take(ink) {
    this.state.ink = ink;
    this.state.changed();
  }
}

/** @param {import("./icons.js").Icon} name @param {string} title @param {() => void} act */
function button(name, title, act) {
  return html("button", { type: "button", className: "icon-only", title, "aria-label": title, onclick: act }, icon(name));
}

/** @param {HTMLElement} el @param {boolean} on */
const press = (el, on) => el.setAttribute("aria-pressed", String(on));
