// Grids of numbers onto canvases: one pixel is one pixel, the style sheet enlarges it.

import { colourOf } from "./colour.js";

/** @typedef {import("./board.js").Shown} Shown */

const CHECK = [[255, 255, 255], [206, 206, 206]]; // under what can be seen through

/** Whether a transparent pixel is to be told from one that is not painted. @param {Api.ImageKind} image */
const seeThrough = (image) => image.mode === "rgba" || (image.palette?.some((colour) => colour[3] < 255) ?? false);

/**
 * An image; what is not known stays clear.
 * @param {HTMLCanvasElement} canvas @param {Api.ImageKind} image @param {Shown} shown
 * @param {number} height @param {number} width
 */
export function drawImage(canvas, image, shown, height, width) {
  const fine = seeThrough(image) ? 2 : 1; // four fields of a checkerboard a pixel
  const size = height * width;
  const levels = Array(image.channels).fill(0); // of one pixel, the same list for all: there are many
  fill(canvas, height * fine, width * fine, (row, column) => {
    const pixel = Math.floor(row / fine) * width + Math.floor(column / fine);
    if (!shown.known[pixel]) return null;
    for (let c = 0; c < image.channels; c++) levels[c] = shown.levels[c * size + pixel];
    const colour = colourOf(image, levels);
    if (fine === 1 || colour[3] === 255) return colour;
    const under = CHECK[(row + column) % 2];
    return colour.map((part, k) => (k === 3 ? 255 : Math.round((part * colour[3] + under[k] * (255 - colour[3])) / 255)));
  });
}

/**
 * A map of numbers; where `colour` gives null it stays clear.
 * @param {HTMLCanvasElement} canvas @param {number} height @param {number} width
 * @param {(row: number, column: number) => number[] | null} colour
 */
export function fill(canvas, height, width, colour) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) return;
  const picture = context.createImageData(width, height);
  for (let row = 0, to = 0; row < height; row++)
    for (let column = 0; column < width; column++, to += 4) {
      const found = colour(row, column);
      if (!found) continue;
      for (let k = 0; k < 3; k++) picture.data[to + k] = found[k];
      picture.data[to + 3] = found[3] ?? 255;
    }
  context.putImageData(picture, 0, 0);
}
