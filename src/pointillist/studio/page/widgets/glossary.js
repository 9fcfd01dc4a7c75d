// Terms that explain themselves on hover and focus.

import { html, updateChildren } from "../shared/dom.js";

/** @type {Record<string, string>} */
const MEANINGS = {
  probability: "How likely the model held this level, given the pixels before it.",
  surprise: "Bits that the level takes: 1 bit is a coin toss, 10 bits a chance of 1 in 1,024. The field says surprisal.",
  entropy: "Bits that the model expects here: 0 where it is certain, more where many levels are possible.",
  rank: "Place of the level among all levels, the likeliest first.",
  "a pixel": "Bits of the image over its pixels.",
  "a channel": "Bits of the image over its sub-pixels: each colour channel counts.",
  "entropy in bits": "What the model expects before it sees the pixel: bright where it is uncertain.",
  "surprise in bits": "What the pixel took: bright where it was unlikely.",
  "bits/dim": "Bits per sub-pixel that the validation images take: lower is better.",
  lowest: "The lowest validation value so far: the run keeps the weights of that step.",
};

/** Make a term with its meaning, or plain text without one. @param {string} word */
export function term(word) {
  const meaning = MEANINGS[word];
  if (!meaning) return html("span", {}, word);
  return html("span", { className: "term", tabIndex: 0, "aria-description": meaning, "data-meaning": meaning }, word);
}

/** Show numbers by their terms. @param {HTMLElement} list @param {string[][]} rows term and number of each */
export const showNumbers = (list, rows) => updateChildren(list, JSON.stringify(rows), () => rows.map(([name, value]) => html("div", {}, html("dt", {}, term(name)), html("dd", {}, value))));
