// Below the stage: play, step, scrub, speed.

import { shown } from "./board.js";
import { h, inFocus, say, whole } from "./dom.js";
import { icon } from "./icons.js";
import { SPEEDS } from "./state.js";

/** @typedef {import("./state.js").State} State */

export class Transport {
  /** @param {State} state @param {import("./player.js").Player} player @param {() => void} goOn */
  constructor(state, player, goOn) {
    this.state = state;
    const button = (/** @type {import("./icons.js").Icon} */ name, /** @type {string} */ label, /** @type {() => void} */ act) =>
      h("button", { type: "button", className: "icon-only", title: label, "aria-label": label, onclick: act }, icon(name));
    this.first = button("first", "To the first pixel (Home)", () => player.seek(0));
    this.back = button("back", "One pixel back (,)", () => player.step(-1));
    this.play = h("button", { type: "button", className: "icon-only play", onclick: () => player.toggle() }, icon("play"), icon("pause"));
    this.forward = button("forward", "One pixel on (.)", () => player.step(1));
    this.last = button("last", "To the newest pixel (End)", () => player.seek(Infinity));
    this.range = h("input", { type: "range", min: "0", step: "1", className: "scrub", "aria-label": "Pixels painted", oninput: () => player.seek(Number(this.range.value)) });
    this.count = h("span", { className: "count" });
    const options = SPEEDS.map((speed) => h("option", { value: String(speed) }, speed === Infinity ? "live" : `${whole(speed)} px/s`));
    this.speed = h("select", { "aria-label": "Speed", title: "How fast the painting is shown; live: as it comes", onchange: () => this.#chosen() }, ...options);
    this.goOn = h("button", { type: "button", className: "strong", title: "Let the model paint what is missing (C)", onclick: goOn }, "Continue");
    this.el = h("div", { className: "transport", role: "group", "aria-label": "The painting, pixel by pixel" }, this.first, this.back, this.play, this.forward, this.last, this.range, this.count, this.goOn, this.speed);
  }

  update() {
    const { state } = this;
    const { length } = state;
    const at = Math.floor(state.at);
    this.el.classList.toggle("off", length === 0);
    for (const el of [this.first, this.back, this.play, this.forward, this.last, this.range]) el.disabled = length === 0;
    this.play.classList.toggle("playing", state.playing);
    const label = state.playing ? "Pause (space)" : "Play (space)";
    if (this.play.title !== label) this.play.setAttribute("aria-label", (this.play.title = label));
    if (this.range.max !== String(length)) this.range.max = String(length);
    this.range.value = String(at);
    this.range.style.setProperty("--arrived", `${length ? (100 * state.arrived) / length : 0}%`);
    this.range.style.setProperty("--at", `${length ? (100 * at) / length : 0}%`);
    this.range.setAttribute("aria-valuetext", `${at} of ${length} pixels`);
    say(this.count, length ? `${whole(at)} / ${whole(length)}` : "");
    this.goOn.hidden = !hasGaps(state);
    if (inFocus(this.speed) !== this.speed) this.speed.value = String(state.speed);
  }

  #chosen() {
    this.state.chosenSpeed = Number(this.speed.value);
    this.state.changed();
  }
}

/** Whether something is there, and something is missing. @param {State} state */
function hasGaps(state) {
  if (!state.board || state.work || state.playing || state.stroke) return false;
  const { known } = shown(state.board, state.at);
  return known.includes(1) && known.includes(0);
}
