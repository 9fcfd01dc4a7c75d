// The panel of one pixel: its distribution and numbers, other levels to choose, what it looked at.

import { Chart } from "./chart.js";
import { css, levelName, swatch } from "./colour.js";
import { bitsOf, fixed, h, percent, refill, say } from "./dom.js";
import { factsOf } from "./facts.js";
import { fill } from "./picture.js";
import { Whole } from "./whole.js";
import { chosenLevels, lookOverlay } from "./maps.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./facts.js").Facts} Facts */
/** @typedef {import("./facts.js").SubPixel} SubPixel */

const LIKELIEST = 5;

export class PixelPanel {
  /** @param {State} state @param {import("./questions.js").Questions} questions @param {import("./commands.js").Commands} commands */
  constructor(state, questions, commands) {
    this.state = state;
    this.questions = questions;
    this.title = h("h2", {}, "Pixel");
    this.where = h("p", { className: "where" });
    this.spoken = h("p", { className: "spoken", "aria-live": "polite" });
    this.whole = new Whole(state);
    this.numbers = h("dl", { className: "numbers" });
    this.channels = h("div", { className: "channels" });
    this.repaint = h("button", { className: "strong", title: "The held pixel and all before it are kept (R)", onclick: () => commands.repaint() }, "Repaint from here");
    this.cost = h("p", { className: "cost" });
    this.release = h("button", { title: "Esc", onclick: () => commands.release() }, "Let go");
    this.actions = h("div", { className: "actions" }, this.cost, h("div", { className: "row" }, this.repaint, this.release));
    this.lookMap = h("canvas", { className: "look-map" });
    this.lookText = h("p", {});
    this.looked = h("div", { className: "looked" }, this.lookMap, h("div", {}, h("h3", {}, "What it looked at"), this.lookText));
    this.el = h("section", { className: "panel pixel", "aria-label": "Pixel" }, this.title, this.where, this.spoken, this.whole.el, this.numbers, this.channels, this.actions, this.looked);
    /** @type {Chart[]} */
    this.charts = [];
    /** @type {Api.Details | null} */
    this.details = null;
  }

  update() {
    const facts = factsOf(this.state, this.questions);
    say(this.title, facts ? `Row ${facts.row}, column ${facts.column}` : "One pixel at a time");
    say(this.where, this.#where(facts));
    if (facts && facts.why !== "now") say(this.spoken, spoken(facts));
    this.whole.update(facts ? undefined : this.state.board);
    this.#numbers(facts);
    this.#charts(facts);
    this.#actions();
    this.#look();
  }

  /** @param {Facts | null} facts */
  #where(facts) {
    if (!facts) return "Point at a pixel to see what the model held possible there; click to hold it.";
    if (facts.trouble) return facts.trouble;
    const length = facts.board.trace?.length ?? 0;
    const place = facts.place === null ? "was there before" : `pixel ${facts.place + 1} of ${length}`;
    if (!facts.painted && facts.place === null) return "Not painted: the model can continue what is missing.";
    if (!facts.painted) return facts.channels ? `${place}, next to be painted` : `${place}, still to come`;
    return facts.why === "pinned" ? `${place}, held` : place;
  }

  /** @param {Facts | null} facts */
  #numbers(facts) {
    const channels = facts?.channels;
    this.numbers.hidden = !channels;
    if (!channels) return;
    const sum = (/** @type {"entropy" | "surprise"} */ key) => channels.reduce((total, one) => total + (one[key] ?? 0), 0);
    const [one] = channels;
    const rows = [["expected", bitsOf(sum("entropy"))]];
    if (facts.painted) rows.unshift(["surprise", bitsOf(sum("surprise"))]);
    if (facts.painted && channels.length === 1) rows.unshift(["probability", percent(one.probs[one.observed])]);
    if (facts.painted && channels.length === 1 && one.rank) rows.push(["rank", `${one.rank} of ${one.probs.length}`]);
    const key = JSON.stringify(rows);
    refill(this.numbers, key, () => rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }

  /** @param {Facts | null} facts */
  #charts(facts) {
    const details = facts?.board.details;
    if (details && details !== this.details) {
      this.details = details;
      this.charts = details.image.channel_names.map((_, c) => new Chart(details.image, c, (level) => this.#choose(c, level)));
      this.channels.replaceChildren(...this.charts.map((chart, c) => this.#channel(details.image, c, chart)));
    }
    this.channels.hidden = !facts?.channels;
    facts?.channels?.forEach((one, c) => {
      const chosen = this.state.pin?.choice[c] ?? null;
      this.charts[c].update({ ...one, chosen });
      this.#words(/** @type {HTMLElement} */ (this.channels.children[c]), one, c, chosen);
    });
  }

  /** @param {Api.ImageKind} image @param {number} channel @param {Chart} chart */
  #channel(image, channel, chart) {
    const name = image.channel_names[channel];
    return h("div", { className: "channel" }, h("h3", { hidden: image.channels === 1 }, name, h("span", {})), chart.el, h("ol", { className: "likeliest", "aria-label": `Likeliest levels ${name}` }), h("p", { className: "note" }));
  }

  /** @param {HTMLElement} el @param {SubPixel} one @param {number} channel @param {number | null} chosen */
  #words(el, one, channel, chosen) {
    const image = /** @type {Api.Details} */ (this.details).image;
    const [head, , list, note] = el.children;
    const bits = image.channels > 1 && one.surprise !== null ? bitsOf(one.surprise) : "";
    say(head.lastElementChild ?? head, bits);
    const order = Array.from(one.probs, (_, level) => level).sort((a, b) => one.probs[b] - one.probs[a]).slice(0, LIKELIEST);
    const key = order.map((level) => [level, percent(one.probs[level]), level === one.observed, level === chosen].join()).join(" ");
    refill(list, key, () => order.map((level) => h("li", {}, this.#option(image, channel, level, one, chosen))));
    const half = one.quantiles ? `, half of it in ${one.quantiles["0.25"]} to ${one.quantiles["0.75"]}` : "";
    const there = one.observed >= 0 ? `Level ${levelName(image, one.observed)} is there. ` : "";
    say(note, `${there}${one.mean === null ? "" : `Mean ${fixed(one.mean, 1)}${half}.`}`);
  }

  /** @param {Api.ImageKind} image @param {number} channel @param {number} level @param {SubPixel} one @param {number | null} chosen */
  #option(image, channel, level, one, chosen) {
    const colour = h("i", {});
    colour.style.background = css(swatch(image, channel, level));
    const name = `Choose level ${levelName(image, level)}, ${percent(one.probs[level])}`;
    return h("button", { className: level === one.observed ? "there" : "", "aria-pressed": level === chosen, "aria-label": name, onclick: () => this.#choose(channel, level) }, colour, String(level), h("b", {}, percent(one.probs[level])));
  }

  /** Another level for the pixel in question, which is then held. @param {number} channel @param {number} level */
  #choose(channel, level) {
    const { state } = this;
    const facts = factsOf(state, this.questions);
    if (!facts?.levels) return;
    const pin = state.pin ?? { pixel: facts.pixel, choice: facts.levels.map(() => null) };
    const choice = pin.choice.map((old, c) => (c === channel ? (level === facts.levels?.[c] ? null : level) : old));
    state.pin = { ...pin, choice };
    state.playing = false;
    state.changed();
  }

  #actions() {
    const { pin, board } = this.state;
    this.actions.hidden = !pin;
    if (!pin || !board) return;
    const levels = chosenLevels(board, pin);
    const change = levels ? this.questions.change(board, pin.pixel, levels) : null;
    const text = change instanceof Error ? change.message : change ? `The image as it is would then take ${fixed(Math.abs(change.bits_change), 1)} bits ${change.bits_change < 0 ? "less" : "more"}.` : levels ? "\u00a0" : "Choose another level above, or keep this one and let the rest be painted again.";
    say(this.cost, text);
  }

  #look() {
    const { pin, board } = this.state;
    this.looked.hidden = !pin;
    if (!pin || !board) return;
    const look = this.questions.look(board, pin.pixel);
    if (look instanceof Error) return say(this.lookText, look.message);
    if (!look) return say(this.lookText, "\u2026");
    const overlay = lookOverlay(look, board.known.length);
    fill(this.lookMap, board.height, board.width, (row, column) => {
      const pixel = row * board.width + column;
      return pixel === pin.pixel ? [217, 72, 28] : overlay.colour(overlay.at(pixel) ?? 0);
    });
    this.lookMap.style.aspectRatio = `${board.width} / ${board.height}`;
    const signs = look.signed ? " Red: more of it there would have made this pixel likelier; blue: less likely." : " The brighter, the more.";
    say(this.lookText, look.top > 0 ? `How strongly the probability of what is here answers to each earlier pixel.${signs}` : "At nothing: it comes first, or what is there does not matter to it.");
  }
}

/** A pixel in one sentence, for those who hear it. @param {Facts} facts */
function spoken({ row, column, channels, painted }) {
  const where = `Row ${row}, column ${column}`;
  if (!painted) return `${where}: not painted.`;
  const parts = (channels ?? []).map((one) => `${one.name} level ${one.observed}, ${percent(one.probs[one.observed])}`);
  return parts.length ? `${where}: ${parts.join("; ")}.` : `${where}.`;
}
