// A card for the first visit: the shortest way to something of one's own.

import { drawableHint } from "../drawing/hint_pad.js";
import { html, updateChildren } from "../shared/dom.js";
import { icon } from "./icons.js";

export class FirstRun {
  /** @param {State} state @param {Commands} commands */
  constructor(state, commands) {
    this.state = state;
    const draw = () => {
      if (!drawableHint(state.details)) commands.empty();
      commands.tool("pencil");
    };
    this.words = html("p", {});
    this.steps = html("div", { className: "row" },
      html("button", { type: "button", onclick: draw }, "Draw"),
      html("button", { type: "button", className: "icon-only", "aria-label": "Close the first steps", onclick: () => { state.cardClosed = true; state.changed(); } }, icon("close")));
    this.el = html("section", { className: "first-run", "aria-label": "First steps", hidden: true }, this.words, this.steps);
  }

  update() {
    const { state } = this;
    if (state.fill) state.cardClosed = true; // done already
    const [what, then] = drawableHint(state.details) ? ["Draw on the pad.", " Each stroke of the outline is painted at once."] : ["Draw a line, press Paint.", " The model keeps your strokes and paints the rest."];
    updateChildren(this.words, what, () => [html("b", {}, what), then]);
    this.el.hidden = state.cardClosed || !state.details || state.kept === null || state.details.generation.pictures.length > 0; // which have a first step of their own
  }
}
