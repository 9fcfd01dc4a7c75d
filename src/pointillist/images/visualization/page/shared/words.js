// Words of a prompt, which light up by the bits that they save at a pixel: in the studio, on exported pages and in reports.

import { balance, css } from "./colour.js";
import { formatFixed } from "./dom.js";

const LEAST = 0.05; // bits below this do not light a word up, and are not named
const BRIGHT = 140; // lightness from which a background takes dark letters

/** Colour the buttons of words: blue saves bits, red costs bits. @param {HTMLElement[]} buttons @param {number[]} bits of each word @param {number} top of the scale of colours */
export function lightWords(buttons, bits, top) {
  for (const [word, button] of buttons.entries()) {
    const [r, g, b] = balance(-bits[word] / top), lit = Math.abs(bits[word]) >= LEAST;
    button.style.background = lit ? css([r, g, b]) : "";
    button.style.color = lit ? (0.299 * r + 0.587 * g + 0.114 * b > BRIGHT ? "#211f26" : "#fff") : "";
  }
}

/** Name the words that save or cost bits, in words. @param {string[]} names @param {number[]} bits @param {number} [most] words, of which the largest come first; left out: all, in their order */
export function namedBits(names, bits, most) {
  const named = names.map((name, word) => ({ name, bits: bits[word] })).filter((each) => Math.abs(each.bits) >= LEAST);
  if (most !== undefined) named.sort((a, b) => Math.abs(b.bits) - Math.abs(a.bits));
  const texts = named.slice(0, most).map((each) => `${each.name} ${each.bits > 0 ? "+" : ""}${formatFixed(each.bits, 1)}`);
  return texts.length ? `${texts.join(", ")}${named.length > texts.length ? ", ..." : ""}` : "none";
}
