// The first screen: a number, painted digit by digit and pixel by pixel, with what the model expected at each pixel. It is no
// module, and neither is the model (live/digits.js): a page that was opened from disk may load scripts only.
"use strict";

const WORD = "2026"; // with which the page opens
const MOST = 6; // digits
const SECONDS = 2.2; // that a digit takes to paint
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

const form = document.querySelector(".front form");
const field = form.querySelector("input");
const place = document.querySelector(".front .digits");
const words = document.querySelector(".front .panel small");
const bars = [...document.querySelectorAll(".front .bars i")];
let painting = 0; // number of the painting that goes on: an older one ends
let seed = 8; // its 2, 0, 2 and 6 are good ones

/** Show what the model expected at a pixel, and what came. */
function show(probabilities, level) {
  const highest = Math.max(...probabilities);
  bars.forEach((bar, k) => {
    bar.style.transform = `scaleY(${probabilities[k] / highest})`;
    bar.classList.toggle("came", k === level);
  });
}

/** Paint digits one after the other. */
async function paint(model, digits) {
  const mine = ++painting;
  const canvases = digits.map((digit) => Object.assign(document.createElement("canvas"), { width: model.width, height: model.height, role: "img", ariaLabel: `The digit ${digit}, painted by the model` }));
  place.replaceChildren(...canvases);
  let bits = 0;
  for (const [i, digit] of digits.entries()) {
    const brush = canvases[i].getContext("2d");
    const steps = model.steps({ seed, index: i, label: digit });
    const each = Math.ceil((model.width * model.height) / (60 * SECONDS));
    const levels = new Uint8Array(model.width * model.height);
    for (let done = false; !done; ) {
      for (let k = 0; k < each || CALM.matches; k++) {
        const step = steps.next();
        if ((done = Boolean(step.done))) break;
        const { at, level, probabilities } = step.value;
        levels[at] = level;
        bits -= Math.log2(probabilities[level]);
        const shade = Math.round((255 * level) / (model.levels - 1));
        brush.fillStyle = `rgb(${shade} ${shade} ${shade})`;
        brush.fillRect(at % model.width, Math.floor(at / model.width), 1, 1);
        if (k === each - 1) show(probabilities, level);
      }
      words.textContent = `${bits.toFixed(1)} bits so far: −log₂ of the probability of every pixel, added up`;
      await new Promise((resolve) => requestAnimationFrame(resolve));
      if (mine !== painting) return;
    }
  }
  words.textContent = `${bits.toFixed(1)} bits in all: the exact likelihood of what you see is 2 to the power of −${bits.toFixed(1)}`;
}

/** Paint the first number, and one for each press of the button. */
async function begin() {
  const model = await globalThis.openModel();
  document.querySelector(".front .shades").replaceChildren(...bars.map((_, k) => {
    const shade = Math.round((255 * k) / (model.levels - 1));
    return Object.assign(document.createElement("i"), { style: `background: rgb(${shade} ${shade} ${shade})` });
  }));
  form.addEventListener("submit", () => {
    const digits = [...field.value].filter((letter) => /[0-9]/.test(letter)).slice(0, MOST);
    if (!digits.length) {
      words.textContent = "This model paints digits: type a number.";
      return;
    }
    seed++;
    void paint(model, digits);
  });
  void paint(model, [...WORD]);
}

form.addEventListener("submit", (event) => event.preventDefault()); // also before the model is there
begin().catch((error) => {
  words.textContent = globalThis.openModel
    ? `The model cannot paint in this browser: ${error.message}`
    : "The model is missing: live/digits.js was not loaded. Run `make docs`, which writes it, or reload the page.";
});
