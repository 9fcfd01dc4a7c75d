// Options of the tool in hand, and of the selection.

import { visibleImage } from "../canvas/canvas_model.js";
import { shownKind } from "../canvas/draw_image.js";
import { button, html, setText } from "../shared/dom.js";
import { drawableHint } from "./hint_pad.js";
import { InkPicker } from "./ink_picker.js";
import { isSelectionTool } from "./selecting.js";
import { isDrawingTool } from "./strokes.js";

const MIRRORS = { "": "no mirror", x: "left and right", y: "up and down", both: "four ways" };
const MOST_LEVELS = 256; // that can be chosen one by one

export class ToolOptions {
  /** @param {State} state @param {Commands} commands @param {import("./ghosts.js").Ghosts} ghosts */
  constructor(state, commands, ghosts) {
    this.state = state;
    this.ghosts = ghosts;
    this.size = html("input", { type: "range", min: "1", max: "16", "aria-label": "Size of the brush", oninput: () => commands.brush(Number(this.size.value) - state.brush) });
    this.sizeText = html("output", {});
    this.brush = html("label", { className: "brush" }, "Brush", this.size, this.sizeText);
    this.filledBox = html("input", { type: "checkbox", onchange: () => { state.filled = this.filledBox.checked; state.changed(); } });
    this.filled = html("label", { className: "check" }, this.filledBox, "filled");
    const options = Object.entries(MIRRORS).map(([value, name]) => html("option", { value }, name));
    this.mirrorSelect = html("select", { title: "Draw mirrored (H)", "aria-label": "Mirror", onchange: () => { state.mirror = /** @type {State["mirror"]} */ (this.mirrorSelect.value); state.changed(); } }, ...options);
    this.ink = new InkPicker(state);
    this.hint = html("span", { className: "note" }, "Drag on the canvas to select; then fill, erase, copy or move it.");
    this.erase = button("Erase", "Erase the selected pixels, so that the model can paint them (Delete)", () => commands.erase());
    this.copy = button("Copy", "Copy the selected pixels (Ctrl+C)", () => commands.copy());
    this.paste = button("Paste", "Paste at the upper left corner, or under the pointer with Ctrl+V", () => commands.paste());
    this.allow = button("Allow levels …", "Choose the levels that a fill may use in the selection", () => commands.allow());
    this.deselect = button("Select nothing", "Ctrl+D", () => commands.select(false));
    this.allowed = html("span", { className: "note" });
    this.allowAll = button("Allow all", "Let a fill use every level again", () => commands.allowAll());
    this.selecting = html("div", { className: "row", role: "group", "aria-label": "Selection" }, this.hint, this.erase, this.copy, this.paste, this.allow, this.deselect, this.allowed, this.allowAll);
    this.el = html("div", { className: "options" }, this.brush, this.filled, this.mirrorSelect, this.ink.el, ghosts.el, this.selecting);
  }

  update() {
    const { state } = this;
    const { tool, selection, canvas } = state;
    const draws = isDrawingTool(tool);
    const selects = isSelectionTool(tool) || tool === "move";
    this.el.hidden = !draws && !selects && !selection;
    this.brush.hidden = !draws || tool === "bucket";
    this.size.value = String(state.brush);
    setText(this.sizeText, `${state.brush} px`);
    this.filled.hidden = tool !== "rectangle" && tool !== "ellipse";
    this.filledBox.checked = state.filled;
    this.mirrorSelect.hidden = !draws;
    this.mirrorSelect.value = state.mirror;
    // on a pad of two levels its own pencil counts, and not the colours of the canvas
    const onPad = state.padInHand && drawableHint(state.details)?.levels === 2;
    this.ink.el.hidden = !draws || tool === "eraser" || onPad;
    if (state.details && !this.ink.el.hidden) {
      /** @type {import("../shared/colour.js").Kind} */
      const shown = canvas ? shownKind(state.details.image, visibleImage(canvas, state.at)) : state.details.image;
      if (shown.range && !state.recentInks.length) state.ink = [shown.range[1]]; // none was chosen yet, and the greatest of 16 bits would leave a scan black
      this.ink.update(shown);
    }
    this.ghosts.update();
    this.ghosts.el.hidden = !draws || onPad;
    const kind = canvas?.details.image;
    this.selecting.hidden = !selects && !selection;
    this.hint.hidden = selection !== null || !isSelectionTool(tool);
    for (const one of [this.erase, this.copy, this.deselect]) one.hidden = !selection;
    this.paste.hidden = !state.clip;
    this.allow.hidden = !selection || !kind || kind.levels > MOST_LEVELS || kind.channels > 1;
    const regions = canvas?.allowed.length ?? 0;
    this.allowed.hidden = this.allowAll.hidden = regions === 0;
    setText(this.allowed, canvas?.allowed.map(({ region, levels }) => `${levels.length} levels in ${region.reduce((sum, one) => sum + one, 0)} pixels`).join("; ") ?? "");
  }
}
