// An image against normal images: the switch of the surprise view, its map, and the verdict in words.

import { balance } from "../shared/colour.js";
import { isComplete, visibleImage } from "./canvas_model.js";
import { RequestError } from "../transport/api.js";
import { decodeFloats } from "../transport/encoded_arrays.js";
import { formatFixed, formatInteger, formatPercent, html, updateChildren } from "../shared/dom.js";

const LONG = 30; // seconds that the message stays

/** @typedef {import("../state/state.js").State} State */
/** @typedef {import("./canvas_model.js").Canvas} Canvas */
/** @typedef {import("../transport/queries.js").Queries} Queries */

/** Return the verdict on a canvas, or null while there is none. @param {State} state @param {Queries} queries @param {Canvas} canvas */
export const verdictOf = (state, queries, canvas) =>
  state.stroke === 0 && isComplete(visibleImage(canvas)) ? queries.anomaly(canvas) : null;

/**
 * Make the overlay of the smoothed excess surprisal, on the scale of normal images.
 * @param {State} state @param {Queries} queries @param {Canvas} canvas
 * @returns {import("./overlays.js").Overlay | null}
 */
export function normalOverlay(state, queries, canvas) {
  const found = verdictOf(state, queries, canvas);
  if (!found || found instanceof Error) return null;
  const distance = decodeFloats(found.distance);
  const { trace } = canvas;
  return {
    colour: (value) => balance(value / (found.top || 1)),
    at: (pixel) => (trace && trace.positions[pixel] >= state.at ? null : distance[pixel]),
  };
}

export class NormalScale {
  /** @param {State} state @param {Queries} queries */
  constructor(state, queries) {
    this.state = state;
    this.queries = queries;
    this.box = html("input", { type: "checkbox", onchange: () => this.#switch() });
    this.label = html("label", { className: "check normal-scale", title: "Compare with normal images, by the anomaly detector of the model" }, this.box, "normal scale");
    this.words = html("p", { className: "verdict-words", "aria-live": "polite" });
  }

  #switch() {
    this.state.view = this.box.checked ? "normal" : "surprisal";
    this.state.changed();
  }

  update() {
    const { view, canvas } = this.state;
    this.box.checked = view === "normal";
    this.label.hidden = (view !== "surprisal" && view !== "normal") || !(canvas && this.state.modelOf(canvas)?.detector);
    this.words.hidden = view !== "normal";
    if (view !== "normal" || !canvas) return;
    const found = verdictOf(this.state, this.queries, canvas);
    if (found instanceof RequestError && found.status === 404) return this.#without(found.message);
    if (!isComplete(visibleImage(canvas))) this.#say("A whole image is compared with normal ones, and this one has unpainted pixels.");
    else this.#say(found instanceof Error ? found.message : found ? describe(found) : "Comparing with normal images \u2026");
  }

  /** Show the surprise map again, and say why there is no other scale. @param {string} message */
  #without(message) {
    this.state.view = "surprisal";
    this.state.notify("plain", message.replaceAll("`", ""), LONG);
  }

  /** @param {string} sentence with commands between backticks */
  #say(sentence) {
    updateChildren(this.words, sentence, () => sentence.split("`").map((part, i) => (i % 2 ? html("code", {}, part) : part)));
  }
}

/** Say how odd an image is, and in what. @param {Api.AnomalyMap} found */
function describe({ p_value: p, held_out: count, statistics, odd, false_alarms: rate }) {
  const share = p * (count + 1) < 1.5 ? `None of ${formatInteger(count)} normal images is as odd as this one` : `As odd as this one, or odder: ${formatPercent(p)} of normal images`;
  const [{ name, distance, meaning }] = statistics;
  const side = distance < 0 ? "below" : "above";
  return `${share} (p = ${p < 0.001 ? p.toExponential(1) : p.toFixed(3)}): ${odd ? "odd" : "normal"} at a false-alarm rate of ${Number((100 * rate).toPrecision(3))} %. Most unusual is ${name}, ${formatFixed(Math.abs(distance), 1)} standard deviations ${side} the mean of normal images (${meaning}).`;
}
