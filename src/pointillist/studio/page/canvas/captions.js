// The captions of canvases side by side: what differs between them, and their bits, as far as all of them have room.

import { SETTING_NAMES } from "../state/paint_jobs.js";
import { formatFixed } from "../shared/dom.js";

/** @typedef {import("./canvas_model.js").Canvas} Canvas */

export const CAPTION_EXTRA = 14; // screen pixels that a caption may be wider than its canvas, as in studio.css
const CHARACTER = 6.6; // screen pixels of a character, at most

/**
 * Return a caption for each canvas: all in the longest form that has room everywhere, or the shortest.
 * @param {Canvas[]} canvases @param {number} scale @returns {string[]}
 */
export function captionsOf(canvases, scale) {
  if (canvases.length === 1) return [canvases[0].caption];
  const names = canvases.map((canvas, index) => canvas.caption || String(index + 1));
  const full = canvases.map(({ trace }, i) => (trace?.painted ? `${names[i]} · ${formatFixed(trace.painted.bits, 1)} bits` : names[i]));
  const short = names.map((name) => Object.values(SETTING_NAMES).reduce((text, setting) => text.replace(`${setting} `, ""), name));
  const hasRoom = (/** @type {string} */ text, /** @type {number} */ i) => text.length * CHARACTER <= canvases[i].width * scale + CAPTION_EXTRA;
  return [full, names].find((captions) => captions.every(hasRoom)) ?? short;
}
