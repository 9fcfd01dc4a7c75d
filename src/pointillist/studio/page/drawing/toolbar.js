// Around the canvases: views and undo above, tools beside, and below: open, extend, empty, zoom.

import { button, html } from "../shared/dom.js";
import { iconButton } from "../widgets/icons.js";
import { holdsAnything } from "../canvas/canvas_model.js";

/** @type {[State["view"], string, string][]} */
const VIEWS = [
  ["image", "Image", "The image (1)"], ["entropy", "Entropy", "Bits that the model expects at each pixel (2)"],
  ["surprisal", "Surprise", "Bits that each pixel takes (3)"], ["saliency", "Saliency", "Pixels that the held pixel depends on (4)"], ["shift", "Shift", "Distributions that change with the held pixel's level (5)"],
];
/** @type {[State["tool"], import("../widgets/icons.js").Icon, string][]} */
const TOOLS = [
  ["inspect", "inspect", "Inspect: point at a pixel, click to hold it (V)"], ["pencil", "pencil", "Pencil (B)"], ["eraser", "eraser", "Eraser: the model can paint erased pixels again (E)"],
  ["line", "line", "Line (L)"], ["rectangle", "rectangle", "Rectangle (U)"], ["ellipse", "ellipse", "Ellipse (J)"], ["bucket", "bucket", "Bucket: one colour for a region (K)"],
  ["select", "select", "Select a rectangle (M)"], ["lasso", "lasso", "Lasso: select freely (Q)"], ["wand", "wand", "Wand: select a region of one colour (W)"], ["move", "move", "Move the selection (X)"],
];

export class Toolbar {
  /** @param {State} state @param {Commands} commands @param {import("../transport/upload.js").Uploader} uploader @param {HTMLElement} options of the tool in hand */
  constructor(state, commands, uploader, options) {
    this.state = state;
    this.commands = commands;
    this.views = VIEWS.map(([view, name, title]) => button(name, title, () => commands.view(view)));
    this.tools = TOOLS.map(([tool, picture, title]) => iconButton(picture, title, () => commands.tool(tool)));
    this.undo = iconButton("undo", "Undo (Ctrl+Z)", () => commands.undo());
    this.redo = iconButton("redo", "Redo (Ctrl+Y)", () => commands.redo());
    this.open = iconButton("open", "Open a picture or a manifest (O); or drop it on the canvas", () => uploader.choose());
    this.clear = iconButton("trash", "Empty the canvas", () => commands.clear());
    this.grid = iconButton("grid", "Grid (G)", () => commands.grid());
    this.less = iconButton("minus", "Zoom out (−)", () => commands.zoom(-1));
    this.more = iconButton("plus", "Zoom in (+)", () => commands.zoom(1));
    this.fit = iconButton("fit", "Fit (0)", () => commands.zoom(0));
    this.extend = iconButton("extend", "Extend the canvas beyond its edges", () => commands.extend());
    this.tile = iconButton("tile", "Show as a tile, between its repetitions (T)", () => commands.tile());
    const group = (/** @type {string} */ label, /** @type {string} */ kind, /** @type {HTMLElement[]} */ ...parts) =>
      html("div", { className: `group ${kind}`, role: "group", "aria-label": label }, ...parts);
    this.el = html("div", { className: "toolbar" }, group("Show", "views", ...this.views), group("History", "tools", this.undo, this.redo));
    this.column = html("div", { className: "tool-column" }, group("Tool", "tools", ...this.tools), options);
    this.below = html("div", { className: "below" }, group("Canvas", "tools", this.open, this.extend, this.clear), group("Zoom", "zoom", this.less, this.more, this.fit, this.grid, this.tile));
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
    this.extend.disabled = !canvas;
    press(this.tile, state.tiled);
  }
}

/** @param {HTMLElement} el @param {boolean} on */
const press = (el, on) => el.setAttribute("aria-pressed", String(on));
