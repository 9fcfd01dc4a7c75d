// Words and numbers of the pixel under the pointer.

import { css, levelName, swatch } from "./shared/colour.js";
import { formatPercent, html } from "./shared/dom.js";

/** A patch in the colour of a level. @param {Api.ImageKind} image @param {number} channel @param {number} level */
export const patch = (image, channel, level) => {
  const element = html("i");
  element.style.background = css(swatch(image, channel, level));
  return element;
};

/**
 * List the five most probable levels.
 * @param {import("./decode.js").Distribution} d @param {number} observed @param {Api.ImageKind} image @param {number} channel
 */
export function topList(d, observed, image, channel) {
  const levels = Array.from(d.probs, (p, level) => ({ p, level })).sort((a, b) => b.p - a.p).slice(0, 5);
  const items = levels.map(({ p, level }) =>
    html("li", { className: level === observed ? "seen" : "" }, patch(image, channel, level), levelName(image, level), html("b", {}, formatPercent(p))));
  return html("ol", { className: "top" }, ...items);
}
