// Strokes: what drawing tools do to the levels of an image.

import { ellipse, line, mirrored, pixelsOf, placeOf, rectangle, regionOf, thicken } from "./shapes.js";
/** @typedef {"pencil" | "eraser" | "line" | "rectangle" | "ellipse" | "bucket"} DrawingTool */

/**
 * @typedef {object} Pen how a tool draws
 * @property {DrawingTool} tool @property {number[] | null} ink levels; null erases
 * @property {number} brush @property {import("./shapes.js").Mirror} mirror @property {boolean} filled of rectangles and ellipses
 * @property {Uint8Array | null} within the selection, outside of which nothing is drawn
 */

/** Tools that draw again from their first pixel while the pointer moves. */
const SHAPES = { line, rectangle, ellipse };

/** Return true if a tool draws. @param {string} tool @returns {tool is DrawingTool} */
export const isDrawingTool = (tool) => ["pencil", "eraser", "bucket", ...Object.keys(SHAPES)].includes(tool);

/** A stroke on an image, which is changed in place. */
export class Stroke {
  /** @param {CanvasImage} image @param {import("./shapes.js").Size} size @param {Pen} pen @param {number} pixel the first */
  constructor(image, size, pen, pixel) {
    this.image = image;
    this.size = size;
    this.pen = pen;
    this.first = this.last = placeOf(pixel, size);
    this.before = { levels: image.levels.slice(), known: image.known.slice() };
    if (pen.tool === "bucket") this.#bucket(pixel);
    else this.to(pixel);
  }

  /** Draw on to a pixel. @param {number} pixel */
  to(pixel) {
    const { pen } = this;
    const place = placeOf(pixel, this.size);
    if (pen.tool === "bucket") return;
    if (pen.tool === "pencil" || pen.tool === "eraser") this.#draw(line(this.last, place));
    else {
      this.image.levels.set(this.before.levels);
      this.image.known.set(this.before.known);
      this.#draw(SHAPES[pen.tool](this.first, place, pen.filled));
    }
    this.last = place;
  }

  /** @param {Place[]} places */
  #draw(places) {
    this.#set(pixelsOf(mirrored(thicken(places, this.pen.brush), this.size, this.pen.mirror), this.size));
  }

  /** Fill the region of one colour around a pixel, and around its mirror images. @param {number} pixel */
  #bucket(pixel) {
    const starts = new Set(pixelsOf(mirrored([placeOf(pixel, this.size)], this.size, this.pen.mirror), this.size));
    for (const start of starts) this.#set(regionOf(start, this.size, sameAs(this.before, start)));
  }

  /** @param {number[]} pixels */
  #set(pixels) {
    const { levels, known } = this.image;
    const { ink, within } = this.pen;
    const channels = levels.length / known.length;
    for (const pixel of pixels) {
      if (within && !within[pixel]) continue;
      known[pixel] = ink ? 1 : 0;
      for (let c = 0; c < channels; c++) levels[c * known.length + pixel] = ink ? ink[c] : 0;
    }
  }
}

/** Return a test whether pixels look like a given one. @param {CanvasImage} image @param {number} start @returns {(pixel: number) => boolean} */
export function sameAs({ levels, known }, start) {
  const channels = levels.length / known.length;
  return (pixel) => {
    if (known[pixel] !== known[start]) return false;
    for (let c = 0; c < channels; c++) if (levels[c * known.length + pixel] !== levels[c * known.length + start]) return false;
    return true;
  };
}
