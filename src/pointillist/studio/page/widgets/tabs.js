// Tabs for the panel below the canvases on a narrow screen.

import { html } from "../shared/dom.js";

const PANELS = [["prompt", "Prompt"], ["pixel", "Pixel"], ["export", "Save"]];

export class Tabs {
  /** @param {State} state @param {HTMLElement} root */
  constructor(state, root) {
    this.state = state;
    this.root = root;
    this.buttons = PANELS.map(([panel, name]) => html("button", { type: "button", onclick: () => this.#show(panel) }, name));
    this.el = html("nav", { className: "tabs", "aria-label": "Panels" }, ...this.buttons);
    this.holds = false;
    this.#show("prompt");
  }

  update() {
    const holds = this.state.heldPixel !== null;
    if (holds && !this.holds) this.#show("pixel"); // a user who holds a pixel wants to see it
    this.holds = holds;
  }

  /** @param {string} panel */
  #show(panel) {
    this.root.dataset.panel = panel;
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(PANELS[i][0] === panel)));
  }
}
