// The levels that a drawing tool uses: swatches of a palette, or a colour field with one slider a channel.

import { colourOf, hexOf, isDeep, levelName, nearestLevels } from "../shared/colour.js";
import { html, updateChildren } from "../shared/dom.js";
import { readPalette } from "./palette_files.js";
import { showColour } from "../canvas/tiles.js";

const SWATCHES = 64;

export class InkPicker {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    this.el = html("div", { className: "ink" });
  }

  /** @param {import("../shared/colour.js").Kind} image */
  update(image) {
    const { state } = this;
    updateChildren(this.el, [state.modelId, image.range, JSON.stringify(image.palette), state.ink, state.recentInks.map(String).join(" ")].join(), () => {
      if (image.channels === 1 && image.levels <= SWATCHES) return [...Array.from({ length: image.levels }, (_, level) => this.#swatch(image, [level], levelName(image, level))), ...(image.mode === "palette" ? this.#paletteButtons() : [])];
      const recent = state.recentInks.map((ink) => this.#swatch(image, ink, isDeep(image) ? String(ink[0]) : hexOf(colourOf(image, ink))));
      const now = html("i", { className: "now" });
      showColour(now, image, state.ink);
      return [...(image.mode === "codes" ? [now] : this.#colourFields(image)), ...state.ink.map((level, channel) => this.#mixer(image, channel, level, now)), ...recent];
    });
  }

  /** Buttons that show the model's images in the colours of a file, and in its own. */
  #paletteButtons() {
    const { state } = this;
    const take = (/** @type {File | undefined} */ file) => state.attempt(async () => file && state.recolour(await readPalette(file)));
    const choose = () => {
      const input = html("input", { type: "file", accept: ".gpl,.hex,.txt,image/png" });
      input.addEventListener("change", () => void take(input.files?.[0]));
      input.click();
    };
    const own = state.ownDetails.has(state.modelId) && html("button", { type: "button", onclick: () => state.recolour(null) }, "Own colours");
    return [html("button", { type: "button", title: "Show the images in the colours of a file: .gpl, .hex or .png", onclick: choose }, "Palette …"), own].filter((one) => one !== false);
  }

  /** @param {import("../shared/colour.js").Kind} image @param {number[]} ink @param {string} name */
  #swatch(image, ink, name) {
    const pressed = String(this.state.ink) === String(ink);
    const one = html("button", { type: "button", className: "swatch", title: name, "aria-label": ink.length === 1 ? `Level ${name}` : `Colour ${name}`, "aria-pressed": pressed, onclick: () => this.state.takeInk(ink) });
    showColour(one, image, ink);
    return one;
  }

  /** Fields for a colour: the system's picker, and hexadecimal digits. @param {Api.ImageKind} image */
  #colourFields(image) {
    const hex = hexOf(colourOf(image, this.state.ink));
    const take = (/** @type {string} */ text) => {
      const ink = nearestLevels(image, text, this.state.ink);
      if (ink) this.state.takeInk(ink);
    };
    const field = html("input", { type: "color", value: hex, "aria-label": "Colour", onchange: () => take(field.value) });
    const typed = html("input", { type: "text", value: hex, className: "hex", maxLength: 7, "aria-label": "Colour in hexadecimal", onchange: () => take(typed.value) });
    return [field, typed];
  }

  /** @param {import("../shared/colour.js").Kind} image @param {number} channel @param {number} level @param {HTMLElement} now */
  #mixer(image, channel, level, now) {
    const { state } = this;
    const name = image.channel_names[channel] || "level", [low, high] = image.range ?? [0, image.levels - 1];
    const range = html("input", {
      type: "range", min: String(low), max: String(high), value: String(level), "aria-label": name,
      oninput: () => {
        state.ink[channel] = Number(range.value);
        showColour(now, image, state.ink);
      },
      onchange: () => state.takeInk(state.ink.slice()),
    });
    if (!isDeep(image)) return html("label", {}, name, range);
    const number = html("input", {
      type: "number", min: "0", max: String(image.levels - 1), value: String(level), "aria-label": "Level as a number",
      onchange: () => number.value && state.takeInk([Math.max(0, Math.min(image.levels - 1, Math.round(Number(number.value))))]),
    });
    return html("label", {}, name, range, number);
  }
}
