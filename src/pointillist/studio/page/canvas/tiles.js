// Tiles of maps: a picture of each level, over the checkerboard that shows transparent pixels.

import { colourOf, css, CHECK } from "../shared/colour.js";
import { decodeArray } from "../transport/encoded_arrays.js";
import { html } from "../shared/dom.js";

/** @typedef {{pixels: Uint32Array, height: number, width: number}} Tiles RGBA pixels `[k th tw]`, one word each */
/** @type {WeakMap<Api.EncodedArray, Tiles>} */
const decoded = new WeakMap();

/** Return the tiles of a kind of image; null if it has none. @param {Api.ImageKind} image */
export function tilesOf({ tiles }) {
  if (!tiles) return null;
  const found = decoded.get(tiles) ?? decode(tiles);
  decoded.set(tiles, found);
  return found;
}

const MAP_EDGE = 1 / 8; // of a map, so that its tiles stay large

/** Return how much of each neighbour is shown around an image that is repeated: all of it, or the edge of a map. @param {Api.ImageKind} image */
export const edgeOf = (image) => (image.tiles ? MAP_EDGE : 1);

/** @param {Api.EncodedArray} encoded @returns {Tiles} */
function decode(encoded) {
  const [, height, width] = encoded.shape;
  const bytes = decodeArray(encoded);
  for (let i = 0; i < bytes.length; i += 4) {
    const [row, column] = [Math.floor(i / 4 / width) % height, (i / 4) % width];
    const under = CHECK[(Math.floor((2 * row) / height) + Math.floor((2 * column) / width)) % 2];
    for (let k = 0; k < 3; k++) bytes[i + k] = Math.round((bytes[i + k] * bytes[i + 3] + under[k] * (255 - bytes[i + 3])) / 255);
    bytes[i + 3] = 255;
  }
  return { pixels: new Uint32Array(bytes.buffer), height, width };
}

/**
 * Draw a map by its tiles; unknown cells stay clear.
 * @param {HTMLCanvasElement} element @param {Tiles} tiles @param {CanvasImage} shown
 * @param {number} height @param {number} width of the map in cells
 */
export function drawTiles(element, tiles, shown, height, width) {
  const { pixels, height: high, width: wide } = tiles;
  Object.assign(element, { width: width * wide, height: height * high });
  const picture = new ImageData(width * wide, height * high);
  const words = new Uint32Array(picture.data.buffer);
  for (let cell = 0; cell < height * width; cell++) {
    if (!shown.known[cell]) continue;
    const corner = Math.floor(cell / width) * high * width * wide + (cell % width) * wide;
    const first = shown.levels[cell] * high * wide;
    for (let row = 0; row < high; row++) words.set(pixels.subarray(first + row * wide, first + (row + 1) * wide), corner + row * width * wide);
  }
  element.getContext("2d")?.putImageData(picture, 0, 0);
}

/**
 * Show the colour of a pixel in an element, or the tile of a cell.
 * @param {HTMLElement} element @param {Api.ImageKind} image @param {number[]} levels @param {number[]} [colour] another colour than the pixel's
 */
export function showColour(element, image, levels, colour = colourOf(image, levels)) {
  const tiles = tilesOf(image);
  element.style.background = css(colour);
  if (!tiles) return;
  const picture = html("canvas", { className: "tile" });
  drawTiles(picture, tiles, { levels: Uint16Array.from(levels), known: new Uint8Array([1]) }, 1, 1);
  element.replaceChildren(picture);
}
