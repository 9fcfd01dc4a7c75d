// Player controls below the canvases: play, step, scrub, speed.

import { isStopped } from "./canvas_model.js";
import { html, setText, formatInteger } from "../shared/dom.js";
import { icon, iconButton } from "../widgets/icons.js";
import { SPEEDS } from "../state/state.js";

export class PlayerControls {
  /** @param {State} state @param {import("./playback.js").Playback} playback @param {import("../transport/filler.js").Filler} filler @param {() => void} complete */
  constructor(state, playback, filler, complete) {
    this.state = state;
    this.filler = filler;
    this.first = iconButton("first", "To the first pixel (Home)", () => playback.seek(0));
    this.back = iconButton("back", "One pixel back (,)", () => playback.step(-1));
    this.play = html("button", { type: "button", className: "icon-only play", onclick: () => playback.toggle() }, icon("play"), icon("pause"));
    this.forward = iconButton("forward", "One pixel forward (.)", () => playback.step(1));
    this.last = iconButton("last", "To the newest pixel (End)", () => playback.seek(Infinity));
    this.range = html("input", { type: "range", min: "0", step: "1", className: "scrub", "aria-label": "Pixels painted", oninput: () => playback.seek(Number(this.range.value)) });
    this.count = html("span", { className: "count" });
    const options = SPEEDS.map((speed) => html("option", { value: String(speed) }, speed === Infinity ? "live" : `${formatInteger(speed)} px/s`));
    this.speed = html("select", { "aria-label": "Speed", title: "Playback speed; live shows pixels as they arrive", onchange: () => this.#chosen() }, ...options);
    this.completeButton = html("button", { type: "button", className: "strong", onclick: complete });
    this.el = html("div", { className: "player", role: "group", "aria-label": "The painting, pixel by pixel" }, this.first, this.back, this.play, this.forward, this.last, this.range, this.count, this.completeButton, this.speed);
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
    setText(this.count, length ? `${formatInteger(at)} / ${formatInteger(length)}` : "");
    const stopped = state.canvases.filter(isStopped).length;
    this.completeButton.hidden = state.work !== null || (!stopped && !this.filler.available);
    setText(this.completeButton, stopped ? (stopped > 1 ? `Continue all ${stopped}` : "Continue") : "Fill");
    this.completeButton.title = stopped ? "Go on with what was stopped (C)" : "Let the model fill the hole, or what is selected, with several candidates (C)";
    if (document.activeElement !== this.speed) this.speed.value = String(state.speed);
  }

  #chosen() {
    this.state.chosenSpeed = Number(this.speed.value);
    this.state.changed();
  }
}
