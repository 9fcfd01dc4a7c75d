// The figure of "How a picture costs 72 bits": it stays in view while one reads, the model paints the picture of the text in it, and
// what it shows follows the paragraph. Without this script, or without the model, the picture of the text stays as it is.
"use strict";

const REQUEST = { seed: 3, text: "heart", label: "tabler" }; // of the text
const SECONDS = 9; // that the picture takes to paint
const DEAREST = 4; // bits that are drawn in full orange, as in the picture of the text
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

const make = (/** @type {string} */ tag, /** @type {object} */ values, ...children) => {
  const element = Object.assign(document.createElement(tag), values);
  element.append(...children);
  return element;
};
const story = document.querySelector("article section");
const scenes = [...document.querySelectorAll("[data-scene]")];
const canvas = make("canvas", { width: 24, height: 24, role: "img", ariaLabel: "The icon, as far as the model has painted it" });
const bars = make("div", { className: "bars", role: "img" });
const words = make("p", {});
const pixel = make("input", { type: "range", min: "0", max: "0", value: "0", ariaLabel: "Pixel" });
const figure = make("figure", { className: "story-figure", hidden: true }, canvas, make("div", {}, bars, words, pixel));
/** @type {{level: number, probabilities: ArrayLike<number>, bits: number, sum: number}[]} pixels in the order of the story */
let steps = [];
let levels = 4, width = 24, scene = "", painting = 0;

/** Show the picture up to a pixel, or what each pixel costs. @param {number} at @param {boolean} [costs] */
function show(at, costs = false) {
  const brush = canvas.getContext("2d");
  brush.clearRect(0, 0, canvas.width, canvas.height);
  for (let n = 0; n < steps.length && (costs || n <= at); n++) {
    const share = Math.min(1, steps[n].bits / DEAREST), shade = Math.round(255 - (255 * steps[n].level) / (levels - 1));
    brush.fillStyle = costs ? `rgb(${255 - 38 * share} ${255 - 183 * share} ${255 - 227 * share})` : `rgb(${shade} ${shade} ${shade})`;
    brush.fillRect(n % width, Math.floor(n / width), 1, 1);
  }
  const { level, probabilities, bits, sum } = steps[at], [row, column] = [Math.floor(at / width), at % width];
  [...bars.children].forEach((bar, k) => {
    bar.style.setProperty("--share", String(probabilities[k]));
    bar.classList.toggle("came", k === level);
  });
  bars.ariaLabel = `Probabilities of the shades: ${Array.from(probabilities, (p) => `${Math.round(100 * p)} %`).join(", ")}`;
  words.textContent = `Row ${row}, column ${column}: p = ${probabilities[level].toPrecision(2)}, ${bits.toFixed(1)} bits. So far ${sum.toFixed(1)} bits.`;
  pixel.value = String(at);
}

/** Paint pixel by pixel, until another scene comes. */
function play() {
  const mine = ++painting, began = performance.now();
  const frame = (/** @type {number} */ now) => {
    if (mine !== painting) return;
    const at = Math.max(0, Math.min(steps.length - 1, Math.floor((steps.length * (now - began)) / (1000 * SECONDS))));
    show(at);
    if (at < steps.length - 1) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

/** Show what a paragraph speaks of. */
function follow() {
  if (!steps.length) return;
  const line = innerHeight * 0.5, read = scenes.filter((each) => each.getBoundingClientRect().top < line).at(-1)?.dataset.scene ?? "story";
  if (read === scene) return;
  scene = read;
  painting++;
  const last = steps.length - 1, dearest = steps.reduce((best, { bits }, n) => (bits > steps[best].bits ? n : best), 0);
  const doubtful = steps.findIndex(({ probabilities }) => Math.max(...Array.from(probabilities)) < 0.6); // the first that may go either way
  if (read === "story" && !CALM.matches) play();
  else if (read === "before") show(doubtful);
  else show(read === "dearest" ? dearest : last, read === "costs" || read === "dearest");
}

/** Run the model once, and tell the picture from then on. */
async function begin() {
  const model = await globalThis.openModel();
  let sum = 0;
  for (const { level, probabilities } of model.steps(REQUEST)) {
    const bits = -Math.log2(probabilities[level]);
    steps.push({ level, probabilities, bits, sum: (sum += bits) });
  }
  ({ levels, width } = model);
  bars.append(...Array.from({ length: levels }, (_, k) => {
    const shade = Math.round(255 - (255 * k) / (levels - 1));
    return make("i", { style: `--shade: rgb(${shade} ${shade} ${shade})` });
  }));
  pixel.max = String(steps.length - 1);
  figure.hidden = false;
  story.classList.add("story");
  follow();
}

story.insertBefore(figure, story.querySelector("section"));
pixel.addEventListener("input", () => {
  painting++;
  show(Number(pixel.value));
});
addEventListener("scroll", follow, { passive: true });
const script = make("script", { src: "../live/icons.js", onload: () => void begin().catch((error) => console.warn("The figure stays away:", error)) });
addEventListener("load", () => document.head.append(script)); // after the page, which can be read without it
