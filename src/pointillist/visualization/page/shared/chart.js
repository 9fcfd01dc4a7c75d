// Bar chart of a sub-pixel's distribution: the observed level in the accent colour, quantiles above, shades below.

import { css, levelName, orderOfLevels, swatch } from "./colour.js";
import { formatPercent, svg } from "./dom.js";

/**
 * @typedef {object} Shares
 * @property {ArrayLike<number>} probs @property {number} observed level, or -1 if the pixel is unknown
 * @property {ArrayLike<number> | null} sampling_probs after guidance, temperature and top-p
 * @property {Record<string, number> | null} quantiles @property {Api.Component[] | null} components
 * @property {number | null} chosen
 */

const WIDTH = 320, LEFT = 34, RIGHT = 318, TOP = 14, BOTTOM = 104, HEIGHT = 136;
const TOPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1];
/** @type {Record<string, (level: number, count: number) => number>} */
const STEPS = {
  ArrowRight: (level) => level + 1, ArrowUp: (level) => level + 1, ArrowLeft: (level) => level - 1, ArrowDown: (level) => level - 1,
  PageUp: (level, count) => level + Math.ceil(count / 16), PageDown: (level, count) => level - Math.ceil(count / 16), Home: () => 0, End: (_, count) => count - 1,
};
const SWATCHES = 64; // above this many levels they form a strip

export class Chart {
  /** @param {Api.ImageKind} image @param {number} channel @param {((level: number) => void) | null} choose what a click on a level does; null for a picture */
  constructor(image, channel, choose) {
    this.image = image;
    this.count = image.levels;
    this.order = orderOfLevels(image);
    this.places = new Uint32Array(this.count);
    this.order.forEach((level, place) => (this.places[level] = place));
    this.slot = (RIGHT - LEFT) / this.count;
    this.gap = this.count <= SWATCHES ? this.slot * 0.1 : 0;
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
      axis, this.#shades(image, channel), this.marker, ...this.#names(),
    );
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
    let best = 0;
    for (let level = 0; level < this.count; level++) best = Math.max(best, probs[level], shares.sampling_probs?.[level] ?? 0);
    const high = TOPS.find((top) => top >= Math.min(1, best)) ?? 1;
    this.ticks.forEach((tick, i) => (tick.textContent = String(+(high * (i + 1) * 0.5).toFixed(3))));
    const levels = Array.from({ length: this.count }, (_, level) => level);
    const outline = (/** @type {number} */ level) => this.#bar(level, probs[level] / high);
    this.bars.setAttribute("d", levels.filter((level) => level !== observed && level !== chosen).map(outline).join(""));
    this.observedBar.setAttribute("d", observed >= 0 && observed !== chosen ? outline(observed) : "");
    this.chosenBar.setAttribute("d", chosen === null ? "" : outline(chosen));
    this.marker.setAttribute("d", observed >= 0 ? this.#arrow(observed) : "");
    this.#over(shares, high);
    const likeliest = levels.reduce((a, b) => (probs[b] > probs[a] ? b : a), 0);
    const words = observed >= 0 ? `; observed level ${levelName(this.image, observed)}, ${formatPercent(probs[observed])}` : "";
    this.at = Math.max(0, chosen ?? observed);
    if (this.isSlider) this.el.setAttribute("aria-valuenow", String(this.places[this.at]));
    if (this.isSlider) this.el.setAttribute("aria-valuetext", `Level ${levelName(this.image, this.at)}, ${formatPercent(probs[this.at])}`);
    this.el.setAttribute("aria-label", `Probabilities of ${this.count} levels: most likely ${levelName(this.image, likeliest)}, ${formatPercent(probs[likeliest])}${words}`);
  }

  /** Draw lines over the bars. @param {Shares} shares @param {number} high */
  #over(shares, high) {
    const { sampling_probs, quantiles, components } = shares;
    const line = (/** @type {(level: number) => number} */ of) =>
      Array.from({ length: this.count }, (_, level) => `${level ? "L" : "M"}${this.#x(level)} ${this.#y(Math.min(1, of(level) / high))}`).join("");
    this.sampling.setAttribute("d", sampling_probs ? this.#stairs(sampling_probs, high) : "");
    this.parts.setAttribute("d", (components ?? []).filter((part) => part.weight >= 0.02).map((part) => line((level) => part.weight * mass(part, level, this.count))).join(""));
    const at = (/** @type {string} */ key) => this.#x(quantiles?.[key] ?? 0);
    this.whisker.setAttribute("d", quantiles ? `M${at("0.05")} 5H${at("0.95")}` : "");
    this.box.setAttribute("d", quantiles ? `M${at("0.25")} 5H${at("0.75")}M${at("0.5")} 2V8` : "");
  }

  /** @param {ArrayLike<number>} probs @param {number} high */
  #stairs(probs, high) {
    const steps = this.order.map((level) => `V${this.#y(Math.min(1, probs[level] / high))}h${this.slot.toFixed(3)}`);
    return `M${LEFT} ${BOTTOM}${steps.join("")}V${BOTTOM}`;
  }

  /** @param {number} share of the height */
  #y(share) {
    return +(BOTTOM - (BOTTOM - TOP) * share).toFixed(2);
  }

  /** @param {number} level */
  #x(level) {
    return +(LEFT + this.slot * (this.places[level] + 0.5)).toFixed(2);
  }

  /** @param {number} level @param {number} share */
  #bar(level, share) {
    const left = LEFT + this.slot * this.places[level] + this.gap;
    const height = Math.max((BOTTOM - TOP) * Math.min(1, share), share > 0 ? 0.6 : 0);
    return `M${left.toFixed(2)} ${BOTTOM}v${(-height).toFixed(2)}h${Math.max(this.slot - 2 * this.gap, 0.4).toFixed(2)}v${height.toFixed(2)}z`;
  }

  /** @param {number} level */
  #arrow(level) {
    return `M${this.#x(level)} ${BOTTOM + 11}l-4.5 7h9z`;
  }

  /** @param {Api.ImageKind} image @param {number} channel */
  #shades(image, channel) {
    const width = Math.max(this.slot - 2 * this.gap, 0.4) + (this.gap ? 0 : 0.4);
    return svg("g", {}, ...Array.from({ length: Math.min(this.count, 1024) }, (_, level) => {
      const x = LEFT + this.slot * this.places[level] + this.gap;
      return svg("rect", { x: x.toFixed(2), y: BOTTOM + 3, width: width.toFixed(2), height: 6, fill: css(swatch(image, channel, level)) });
    }));
  }

  /** Numbers below the first, the middle and the last level; colours have none. */
  #names() {
    if (this.image.mode === "palette") return [];
    const levels = [...new Set([0, Math.floor((this.count - 1) / 2), this.count - 1])];
    return levels.map((level) => svg("text", { x: this.#x(level), y: HEIGHT - 3, "text-anchor": "middle" }, String(level)));
  }

  /** @param {MouseEvent} event */
  #level(event) {
    const box = this.el.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    return this.order[Math.max(0, Math.min(this.count - 1, Math.floor((x - LEFT) / this.slot)))];
  }
}

/** Return the probability of a level under a logistic; the edge levels take the tails. @param {Api.Component} part @param {number} level @param {number} count */
function mass({ mean, scale }, level, count) {
  const below = (/** @type {number} */ edge) => 1 / (1 + Math.exp(-(edge - mean) / scale));
  const upper = level === count - 1 ? 1 : below(level + 0.5);
  return upper - (level === 0 ? 0 : below(level - 0.5));
}
