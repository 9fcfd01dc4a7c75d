// Drawing of images and maps of bits on HTML canvases: one pixel each, or one tile; the style sheet enlarges them.

import { CHECK, colourOf, isDeep } from "../shared/colour.js";
import { html } from "../shared/dom.js";
import { fill } from "../shared/fill.js";
import { visibleImage } from "./canvas_model.js";
import { drawTiles, tilesOf } from "./tiles.js";

/** Return true if images can have transparent pixels, which must differ from unpainted ones. @param {Api.ImageKind} image */
const hasTransparency = (image) => image.mode === "rgba" || (image.palette?.some((colour) => colour[3] < 255) ?? false);

/**
 * Return the kind of an image; of more than 8 bits, with its least and greatest known level, which are black and white.
 * @param {Api.ImageKind} image @param {CanvasImage} shown
 * @returns {import("../shared/colour.js").Kind}
 */
export function shownKind(image, { levels, known }) {
  if (!isDeep(image)) return image;
  let low = Infinity, high = -Infinity;
  for (let pixel = 0; pixel < known.length; pixel++) {
    if (!known[pixel]) continue;
    low = Math.min(low, levels[pixel]);
    high = Math.max(high, levels[pixel]);
  }
  return low > high ? image : { ...image, range: [low, Math.max(low + 1, high)] };
}

/**
 * Draw an image; unknown pixels stay clear.
 * @param {HTMLCanvasElement} element @param {Api.ImageKind} image @param {CanvasImage} shown
 * @param {number} height @param {number} width
 * @param {{checked?: boolean, tiled?: boolean, clear?: boolean}} [options] whether transparent pixels lie on a checkerboard,
 *   a map is drawn by its tiles rather than their mean colours, and the white paper of ink is transparent, as in files
 */
export function drawImage(element, image, shown, height, width, { checked = true, tiled = false, clear = false } = {}) {
  const tiles = tiled ? tilesOf(image) : null;
  if (tiles) return drawTiles(element, tiles, shown, height, width);
  const factor = checked && hasTransparency(image) ? 2 : 1; // four squares of the checkerboard for each pixel
  const size = height * width;
  const kind = shownKind(image, shown);
  const levels = Array(image.channels).fill(0); // of one pixel; reused, as there are many
  fill(element, height * factor, width * factor, (row, column) => {
    const pixel = Math.floor(row / factor) * width + Math.floor(column / factor);
    if (!shown.known[pixel]) return null;
    for (let c = 0; c < image.channels; c++) levels[c] = shown.levels[c * size + pixel];
    const colour = colourOf(kind, levels);
    if (clear && image.min_is_white) return [0, 0, 0, 255 - colour[0]];
    if (factor === 1 || colour[3] === 255) return colour;
    const under = CHECK[(row + column) % 2];
    return colour.map((part, k) => (k === 3 ? 255 : Math.round((part * colour[3] + under[k] * (255 - colour[3])) / 255)));
  });
}

/** Draw the image of a canvas, by default on a new element. @param {Canvas} canvas */
export function pictureOf(canvas, picture = html("canvas", {})) {
  drawImage(picture, canvas.details.image, visibleImage(canvas), canvas.height, canvas.width);
  return picture;
}
