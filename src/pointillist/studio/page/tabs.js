// On a narrow screen: which panel is below the stage.

import { h } from "./dom.js";

/** @typedef {import("./state.js").State} State */

const PANELS = [["ask", "Ask"], ["pixel", "Pixel"], ["keep", "Keep"]];

export class Tabs {
  /** @param {State} state @param {HTMLElement} root */
  constructor(state, root) {
    this.state = state;
    this.root = root;
    this.buttons = PANELS.map(([panel, name]) => h("button", { type: "button", onclick: () => this.#show(panel) }, name));
    this.el = h("nav", { className: "tabs", "aria-label": "Panels" }, ...this.buttons);
    this.held = false;
    this.#show("ask");
  }

  update() {
    const held = this.state.pin !== null;
    if (held && !this.held) this.#show("pixel"); // who holds a pixel wants to see it
    this.held = held;
  }

  /** @param {string} panel */
  #show(panel) {
    this.root.dataset.panel = panel;
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(PANELS[i][0] === panel)));
  }
}
