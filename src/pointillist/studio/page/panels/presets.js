// Presets of guidance, temperature and top-p, and a button that resets the panel.

import { html } from "../shared/dom.js";

/** @typedef {import("../state/state.js").State} State */
/** @typedef {{guidance: number, temperature: number, top_p: number}} Sampling */

const NAMES = /** @type {const} */ (["guidance", "temperature", "top_p"]);

/** List the presets of a model. @param {Api.GenerationDefaults} shipped @returns {[string, string, Sampling][]} */
export function presetsOf(shipped) {
  const asTrained = { guidance: 1, temperature: 1, top_p: 1 };
  const { guidance, temperature, top_p } = shipped;
  /** @type {[string, string, Sampling][]} */
  const all = [["model", "Samples of the model as it was trained: all 1", asTrained], ["as shipped", "What suits this model, chosen by its makers", { guidance, temperature, top_p }], ["wild", "Unlikely levels, too", { guidance: Math.max(1, guidance / 2), temperature: 1.3, top_p: 1 }]];
  return all.filter(([name, , values]) => name !== "as shipped" || NAMES.some((key) => values[key] !== asTrained[key]));
}

export class Presets {
  /** @param {State} state @param {Api.GenerationDefaults} shipped @param {(values: Sampling) => void} take */
  constructor(state, shipped, take) {
    this.state = state;
    this.presets = presetsOf(shipped);
    this.buttons = this.presets.map(([name, title, values]) => html("button", { type: "button", title, onclick: () => take(values) }, name));
    const reset = html("button", { type: "button", title: "Empty all fields of this panel, with the settings that suit the model", onclick: () => state.resetRequest() }, "Reset");
    this.el = html("div", { className: "row presets", role: "group", "aria-label": "Presets" }, ...this.buttons, reset);
  }

  update() {
    const { request } = this.state;
    this.presets.forEach(([, , values], i) => this.buttons[i].setAttribute("aria-pressed", String(NAMES.every((name) => request[name] === values[name]))));
  }
}
