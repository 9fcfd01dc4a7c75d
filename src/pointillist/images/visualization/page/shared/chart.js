// Bar chart of a sub-pixel's distribution: the observed level in the accent colour, quantiles above, shades below.

import { css, isDeep, levelName, orderOfLevels, swatch } from "./colour.js";
import { formatPercent, svg } from "./dom.js";

/**
 * @typedef {object} Shares
 * @property {ArrayLike<number>} probs @property {number} observed level, or -1 if the pixel is unknown
 * @property {ArrayLike<number> | null} sampling_probs after guidance, temperature and top-p
 * @property {Record<string, number> | null} quantiles @property {Api.Component[] | null} components
 * @property {number | null} chosen @property {[number, number]} [range] of levels above 256: those that are black and white
 */

const WIDTH = 320, LEFT = 34, RIGHT = 318, TOP = 14, BOTTOM = 104, HEIGHT = 136;
const TOPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1];
/** @type {Record<string, (level: number, count: number) => number>} */
const STEPS = {
  ArrowRight: (level) => level + 1, ArrowUp: (level) => level + 1, ArrowLeft: (level) => level - 1, ArrowDown: (level) => level - 1,
  PageUp: (level, count) => level + Math.ceil(count / 16), PageDown: (level, count) => level - Math.ceil(count / 16), Home: () => 0, End: (_, count) => count - 1,
};
const SWATCHES = 64; // above this many levels they form a strip
const BARS = 256, LEAST_BARS = 16; // of levels of which only those that are probable are drawn
const TAIL = 0.005; // probability that may lie on each side of them

export class Chart {
  /** @param {Api.ImageKind} image @param {number} channel @param {((level: number) => void) | null} choose what a click on a level does; null for a picture */
  constructor(image, channel, choose) {
    this.image = image;
    this.count = image.levels;
    this.order = orderOfLevels(image);
    this.places = new Uint32Array(this.count);
    this.order.forEach((level, place) => (this.places[level] = place));
    this.first = 0; // place of the first level that is drawn
    this.step = 1; // levels in a bar
    this.numBars = this.count;
    this.slot = (RIGHT - LEFT) / this.numBars;
    this.gap = this.count <= SWATCHES ? this.slot * 0.1 : 0;
    this.shades = svg("g", {});
    this.names = svg("g", {});
    /** @type {import("./colour.js").Kind} */
    this.kind = image;
    this.channel = channel;
    this.bars = svg("path", { class: "bar" });
    this.observedBar = svg("path", { class: "bar observed" });
    this.chosenBar = svg("path", { class: "bar chosen" });
    this.sampling = svg("path", { class: "sampling" });
    this.parts = svg("path", { class: "part" });
    this.whisker = svg("path", { class: "whisker" });
    this.box = svg("path", { class: "box" });
    this.marker = svg("path", { class: "marker" });
    this.lines = [0.5, 1].map((share) => svg("path", { class: "grid", d: `M${LEFT} ${this.#y(share)}H${RIGHT}` }));
    this.ticks = [0.5, 1].map((share) => svg("text", { x: LEFT - 6, y: this.#y(share) + 4, "text-anchor": "end" }));
    const axis = svg("path", { class: "axis", d: `M${LEFT} ${BOTTOM}H${RIGHT}` });
    this.el = svg(
      "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, ...(choose ? { class: "chart", role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": this.count - 1 } : { class: "chart still", role: "img" }) },
      ...this.lines, ...this.ticks, this.bars, this.observedBar, this.chosenBar, this.parts, this.sampling, this.whisker, this.box,
      axis, this.shades, this.marker, this.names,
    );
    this.#scale();
    this.at = 0; // the chosen level, else the observed one
    this.isSlider = choose !== null;
    if (choose) this.#listen(choose);
  }

  /** @param {(level: number) => void} choose */
  #listen(choose) {
    this.el.addEventListener("click", (event) => choose(this.#level(event)));
    this.el.addEventListener("keydown", (event) => {
      const place = STEPS[event.key]?.(this.places[this.at], this.count);
      if (place === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      choose(this.order[Math.max(0, Math.min(this.count - 1, place))]);
    });
  }

  /** @param {Shares} shares */
  update(shares) {
    const { probs, observed, chosen } = shares;
    if (isDeep(this.image)) this.#look(shares);
    const heights = this.#bars(probs), drawn = shares.sampling_probs && this.#bars(shares.sampling_probs);
    const best = heights.reduce((most, height, bar) => Math.max(most, height, drawn?.[bar] ?? 0), 0);
    const high = TOPS.find((top) => top >= Math.min(1, best)) ?? 1;
    this.ticks.forEach((tick, i) => (tick.textContent = String(+(high * (i + 1) * 0.5).toFixed(3))));
    const outline = (/** @type {number} */ bar) => this.#bar(bar, heights[bar] / high);
    const [there, picked] = [observed < 0 ? -1 : this.#barOf(observed), chosen === null ? -1 : this.#barOf(chosen)];
    this.bars.setAttribute("d", Array.from(heights, (_, bar) => (bar === there || bar === picked ? "" : outline(bar))).join(""));
    this.observedBar.setAttribute("d", there >= 0 && there !== picked ? outline(there) : "");
    this.chosenBar.setAttribute("d", picked < 0 ? "" : outline(picked));
    this.marker.setAttribute("d", observed >= 0 ? this.#arrow(observed) : "");
    this.#over(shares, drawn, high);
    let likeliest = 0;
    for (let level = 1; level < this.count; level++) if (probs[level] > probs[likeliest]) likeliest = level;
    const words = observed >= 0 ? `; observed level ${levelName(this.image, observed)}, ${formatPercent(probs[observed])}` : "";
    this.at = Math.max(0, chosen ?? observed);
    if (this.isSlider) this.el.setAttribute("aria-valuenow", String(this.places[this.at]));
    if (this.isSlider) this.el.setAttribute("aria-valuetext", `Level ${levelName(this.image, this.at)}, ${formatPercent(probs[this.at])}`);
    this.el.setAttribute("aria-label", `Probabilities of ${this.count} levels: most likely ${levelName(this.image, likeliest)}, ${formatPercent(probs[likeliest])}${words}`);
  }

  /** Draw lines over the bars. @param {Shares} shares @param {Float64Array | null} drawn bars after guidance, temperature and top-p @param {number} high */
  #over({ quantiles, components }, drawn, high) {
    const line = (/** @type {Api.Component} */ part) =>
      Array.from({ length: this.numBars }, (_, bar) => {
        const from = this.first + bar * this.step, share = part.weight * mass(part, from, Math.min(from + this.step, this.count) - 1, this.count);
        return `${bar ? "L" : "M"}${+(LEFT + this.slot * (bar + 0.5)).toFixed(2)} ${this.#y(Math.min(1, share / high))}`;
      }).join("");
    this.sampling.setAttribute("d", drawn ? this.#stairs(drawn, high) : "");
    this.parts.setAttribute("d", (components ?? []).filter((part) => part.weight >= 0.02).map(line).join(""));
    const at = (/** @type {string} */ key) => this.#x(quantiles?.[key] ?? 0);
    this.whisker.setAttribute("d", quantiles ? `M${at("0.05")} 5H${at("0.95")}` : "");
    this.box.setAttribute("d", quantiles ? `M${at("0.25")} 5H${at("0.75")}M${at("0.5")} 2V8` : "");
  }

  /** Choose the levels that are drawn: the probable ones, and what is observed and chosen. @param {Shares} shares */
  #look({ probs, observed, chosen, range }) {
    let low = 0, high = this.count - 1, below = probs[low], above = probs[high];
    while (below < TAIL && low < high) below += probs[++low];
    while (above < TAIL && low < high) above += probs[--high];
    for (const level of [observed, chosen ?? -1]) if (level >= 0) [low, high] = [Math.min(low, level), Math.max(high, level)];
    const more = Math.max(high - low + 1, LEAST_BARS) - (high - low + 1), first = Math.max(0, Math.min(low - (more >> 1), this.count - LEAST_BARS));
    const last = Math.max(high, first + LEAST_BARS - 1), step = Math.ceil((last - first + 1) / BARS), numBars = Math.ceil((last - first + 1) / step);
    const kind = range ? { ...this.image, range } : this.image;
    if ([first, step, numBars, range].join() === [this.first, this.step, this.numBars, this.kind.range].join()) return;
    Object.assign(this, { first, step, numBars, kind, slot: (RIGHT - LEFT) / numBars });
    this.#scale();
  }

  /** Sum probabilities of the levels of each bar. @param {ArrayLike<number>} probs @returns {Float64Array} */
  #bars(probs) {
    const heights = new Float64Array(this.numBars), end = Math.min(this.count, this.first + this.numBars * this.step);
    for (let place = this.first; place < end; place++) heights[Math.floor((place - this.first) / this.step)] += probs[this.order[place]];
    return heights;
  }

  /** @param {number} level */
  #barOf(level) {
    return Math.floor((this.places[level] - this.first) / this.step);
  }

  /** @param {Float64Array} heights @param {number} high */
  #stairs(heights, high) {
    const steps = Array.from(heights, (height) => `V${this.#y(Math.min(1, height / high))}h${this.slot.toFixed(3)}`);
    return `M${LEFT} ${BOTTOM}${steps.join("")}V${BOTTOM}`;
  }

  /** @param {number} share of the height */
  #y(share) {
    return +(BOTTOM - (BOTTOM - TOP) * share).toFixed(2);
  }

  /** @param {number} level */
  #x(level) {
    return +(LEFT + (this.slot * (this.places[level] - this.first + 0.5)) / this.step).toFixed(2);
  }

  /** @param {number} bar @param {number} share */
  #bar(bar, share) {
    const left = LEFT + this.slot * bar + this.gap;
    const height = Math.max((BOTTOM - TOP) * Math.min(1, share), share > 0 ? 0.6 : 0);
    return `M${left.toFixed(2)} ${BOTTOM}v${(-height).toFixed(2)}h${Math.max(this.slot - 2 * this.gap, 0.4).toFixed(2)}v${height.toFixed(2)}z`;
  }

  /** @param {number} level */
  #arrow(level) {
    return `M${this.#x(level)} ${BOTTOM + 11}l-4.5 7h9z`;
  }

  /** Draw what is below the bars: shades, and numbers of the first, the middle and the last level; colours have none. */
  #scale() {
    const width = Math.max(this.slot - 2 * this.gap, 0.4) + (this.gap ? 0 : 0.4);
    this.shades.replaceChildren(...Array.from({ length: Math.min(this.numBars, 1024) }, (_, bar) => {
      const x = LEFT + this.slot * bar + this.gap, level = this.order[Math.min(this.first + bar * this.step, this.count - 1)];
      return svg("rect", { x: x.toFixed(2), y: BOTTOM + 3, width: width.toFixed(2), height: 6, fill: css(swatch(this.kind, this.channel, level)) });
    }));
    if (this.image.mode === "palette") return;
    const last = Math.min(this.first + this.numBars * this.step, this.count) - 1, wide = last > 9999;
    const levels = [...new Set([this.first, Math.floor((this.first + last) / 2), last])];
    this.names.replaceChildren(...levels.map((level) => svg("text", { x: this.#x(level), y: HEIGHT - 3, "text-anchor": wide && level === last ? "end" : "middle" }, String(level))));
  }

  /** @param {MouseEvent} event */
  #level(event) {
    const box = this.el.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    return this.order[Math.max(0, Math.min(this.count - 1, Math.floor(this.first + ((x - LEFT) / this.slot) * this.step)))];
  }
}

/** Return the probability of levels under a logistic; the edge levels take the tails. @param {Api.Component} part @param {number} from @param {number} to @param {number} count */
function mass({ mean, scale }, from, to, count) {
  const below = (/** @type {number} */ edge) => 1 / (1 + Math.exp(-(edge - mean) / scale));
  const upper = to === count - 1 ? 1 : below(to + 0.5);
  return upper - (from === 0 ? 0 : below(from - 0.5));
}
