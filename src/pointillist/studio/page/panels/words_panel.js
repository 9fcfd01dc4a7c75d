// Words of the prompt: over a word its pixels light up on the canvas, over a pixel its words do. A word that is clicked can
// be exchanged by others of its kind.

import { gradient } from "../shared/colour.js";
import { isComplete, visibleImage } from "../canvas/canvas_model.js";
import { decodeArray } from "../transport/encoded_arrays.js";
import { candidatesFor } from "../state/prompt_words.js";
import { formatBits, formatFixed, html, setText, updateChildren } from "../shared/dom.js";
import { lightWords, namedBits } from "../shared/words.js";

export class WordsPanel {
  /** @param {State} state @param {import("../transport/queries.js").Queries} queries */
  constructor(state, queries) {
    this.state = state;
    this.queries = queries;
    this.words = html("div", { className: "prompt-words", role: "group", "aria-label": "Words of the prompt" });
    this.note = html("p", { className: "note", "aria-live": "polite" });
    this.scale = html("span", { className: "ends" });
    this.candidates = html("div", { className: "prompt-words", role: "group", "aria-label": "Words in its place" });
    this.other = html("input", { type: "text", maxLength: 200, placeholder: "another word", "aria-label": "Another word in its place" });
    const form = html("form", { onsubmit: (/** @type {Event} */ event) => this.#submit(event) }, this.other);
    this.instead = html("p", { className: "note" });
    this.difference = html("p", { className: "note", "aria-live": "polite" });
    this.exchange = html("div", { className: "exchange" }, this.instead, this.difference, this.candidates, form);
    this.el = html("details", { className: "word-bits", ontoggle: () => this.#close() }, html("summary", {}, "What each word did"), this.words, this.scale, this.note, this.exchange);
    /** @type {HTMLElement[]} */
    this.buttons = [];
    /** @type {Canvas | null} */
    this.canvas = null;
    /** @type {number | null} the word whose map stays */
    this.pinned = null;
    /** @type {Api.WordExchange | null} what stands in its place */
    this.exchanged = null;
    /** @type {Map<string, string>} bits of exchanges that were measured */
    this.measured = new Map();
  }

  /** @param {PixelInfo | null} info */
  update(info) {
    const { state } = this, { canvas } = state;
    const prompt = canvas?.conditions.text?.trim();
    this.el.hidden = !canvas || !prompt;
    if (state.word && (state.word.canvas !== canvas || this.el.hidden || !this.el.open)) this.#show(null);
    if (!canvas || this.el.hidden || !this.el.open) return;
    if (canvas !== this.canvas) this.#forget();
    this.canvas = canvas;
    const ready = !state.playing && !state.stroke && isComplete(visibleImage(canvas));
    const maps = ready ? this.queries.words(canvas) : null;
    const found = maps instanceof Error ? null : maps;
    this.words.hidden = this.scale.hidden = !found?.words.length;
    this.exchange.hidden = this.pinned === null || !found?.words[this.pinned];
    if (maps instanceof Error) return setText(this.note, maps.message);
    if (!found) return setText(this.note, ready ? "Each word is left out in turn\u2026" : "The words need a whole image: this one has a hole.");
    if (!found.words.length) return setText(this.note, found.note || "The prompt has no word.");
    updateChildren(this.words, JSON.stringify([found.prompt, found.words]), () => this.#buttons(found));
    const top = canvas.details.bits_top * canvas.details.image.channels;
    updateChildren(this.scale, String(top), () => [html("b", {}, `\u2212${formatFixed(top, 0)}`), ramp(), html("b", {}, `+${formatFixed(top, 0)} bits`)]);
    const pixel = info && info.canvas === canvas && info.source !== "latest" ? info.pixel : null;
    this.#light(found, canvas, pixel, top);
    if (this.pinned !== null && found.words[this.pinned]) this.#exchange(found, found.words[this.pinned], canvas, pixel);
  }

  /** Offer words for the place of the word that stays, and say what an exchange changed. @param {Api.WordMaps} found @param {Api.WordBits} word @param {Canvas} canvas @param {number | null} pixel */
  #exchange(found, word, canvas, pixel) {
    const others = candidatesFor(found.prompt, word, canvas.details.generation.words.kinds), { exchanged } = this;
    setText(this.instead, `In the place of “${word.text}”:`);
    const maps = exchanged && this.queries.words(canvas, exchanged), key = JSON.stringify(exchanged);
    const answer = maps && !(maps instanceof Error) ? maps : null, measured = answer?.words[0];
    if (measured) this.measured.set(key, measured.read ? `${measured.bits > 0 ? "+" : ""}${formatFixed(measured.bits, 1)}` : "not read");
    updateChildren(this.candidates, JSON.stringify([others, word, exchanged, [...this.measured]]), () => others.map((replacement) => {
      const exchange = { index: word.index, replacement }, bits = this.measured.get(JSON.stringify(exchange));
      return html("button", { type: "button", "aria-pressed": exchanged?.replacement === replacement, title: `Bits that “${word.text}” saves, against “${replacement}” in its place`, onclick: () => this.#take(exchanged?.replacement === replacement ? null : exchange) }, replacement, bits !== undefined && html("small", {}, bits));
    }));
    const there = answer && pixel !== null && measured?.read ? ` At this pixel: ${formatFixed(decodeArray(answer.saved)[pixel], 1)}.` : "";
    const rule = measured?.read ? `“${word.text}” saves ${formatBits(measured.bits)} against “${measured.replacement}”. Blue: the picture shows “${word.text}”; red: it would fit “${measured.replacement}” better.` : "";
    setText(this.difference, maps instanceof Error ? maps.message : exchanged && !maps ? "The words are exchanged\u2026" : [rule + there, answer?.note].filter(Boolean).join(" "));
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    const maps = this.canvas && this.queries.words(this.canvas), replacement = this.other.value.trim();
    if (maps && !(maps instanceof Error) && this.pinned !== null && replacement) this.#take({ index: maps.words[this.pinned].index, replacement });
  }

  /** Show the map of an exchange, or of the word again. @param {Api.WordExchange | null} exchange */
  #take(exchange) {
    this.exchanged = exchange;
    this.#show(this.pinned);
  }

  #forget() {
    this.pinned = this.exchanged = null;
    this.measured.clear();
    this.other.value = "";
  }

  /** @param {Api.WordMaps} found */
  #buttons(found) {
    this.buttons = found.words.map((word, index) => {
      const bits = word.read ? `${word.bits > 0 ? "+" : ""}${formatFixed(word.bits, 1)}` : "not read";
      const pass = (/** @type {number | null} */ passed) => () => this.#show(passed ?? this.pinned);
      return html("button", { type: "button", "aria-pressed": false, title: `${formatBits(word.bits)} saved in the whole image`, onclick: () => this.#pin(index), onpointerenter: pass(index), onpointerleave: pass(null), onfocus: pass(index), onblur: pass(null) }, word.text, html("small", {}, bits));
    });
    return this.buttons;
  }

  /** Light up the words of a pixel; without one, by the bits that they save in all. @param {Api.WordMaps} found @param {Canvas} canvas @param {number | null} pixel @param {number} top */
  #light(found, canvas, pixel, top) {
    const values = decodeArray(found.saved), size = canvas.known.length, bits = found.words.map((_, word) => (pixel === null ? 0 : values[word * size + pixel]));
    lightWords(this.buttons, bits, top);
    for (const [word, button] of this.buttons.entries()) button.setAttribute("aria-pressed", String(word === this.pinned));
    const rule = "Bits saved by each word, left out in turn. Blue saves bits, red costs bits.";
    const all = [rule, pixel === null ? "Point at a word or at a pixel, or click a word to exchange it." : `At this pixel: ${namedBits(found.words.map(({ text }) => text), bits)}.`, found.note];
    setText(this.note, all.filter(Boolean).join(" "));
  }

  /** @param {number} word */
  #pin(word) {
    this.pinned = this.pinned === word ? null : word;
    this.exchanged = null;
    this.#show(this.pinned);
  }

  /** Show the map of a word over the image, or none. @param {number | null} word */
  #show(word) {
    const exchange = word === this.pinned ? this.exchanged : null;
    this.state.word = word === null || !this.canvas || !this.el.open ? null : { canvas: this.canvas, word, exchange };
    this.state.changed();
  }

  #close() {
    if (!this.el.open) this.pinned = this.exchanged = null;
    this.#show(null);
  }
}

/** Make the scale: blue, on the right, where a word saves bits. */
function ramp() {
  const scale = html("i", { className: "ramp" });
  scale.style.background = gradient(true).replace("to right", "to left");
  return scale;
}
