// Selections: masks made by tools, and what is done with the pixels within.

import { visibleImage, withImage } from "../canvas/canvas_model.js";
import { cornerOf, line, maskOf, pixelsOf, placeOf, polygon, rectangle, regionOf } from "./shapes.js";
import { sameAs } from "./strokes.js";
/** @typedef {"select" | "lasso" | "wand"} SelectionTool */
/** @typedef {{levels: number[][], places: Place[]}} Clip copied pixels: levels of each, and places from the upper left corner */

/** Return true if a tool selects. @param {string} tool @returns {tool is SelectionTool} */
export const isSelectionTool = (tool) => tool === "select" || tool === "lasso" || tool === "wand";

/** A selection in the making. */
export class SelectionStroke {
  /** @param {SelectionTool} tool @param {Canvas} canvas @param {number} pixel the first */
  constructor(tool, canvas, pixel) {
    this.tool = tool;
    this.canvas = canvas;
    this.first = placeOf(pixel, canvas);
    /** @type {Place[]} */
    this.path = [this.first];
    this.mask = tool === "wand" ? maskOf(regionOf(pixel, canvas, sameAs(visibleImage(canvas), pixel)), canvas) : this.#mask(this.first);
  }

  /** @param {number} pixel */
  to(pixel) {
    if (this.tool === "wand") return;
    const place = placeOf(pixel, this.canvas);
    this.path.push(...line(this.path[this.path.length - 1], place).slice(1));
    this.mask = this.#mask(place);
  }

  /** @param {Place} place */
  #mask(place) {
    const pixels = this.tool === "select" ? pixelsOf(rectangle(this.first, place, true), this.canvas) : polygon(this.path, this.canvas);
    return maskOf(pixels, this.canvas);
  }
}

/** List the selected pixels; all known ones where nothing is selected. @param {Canvas} canvas @param {Uint8Array | null} selection */
function selectedPixels(canvas, selection) {
  const { known } = visibleImage(canvas);
  return Array.from(known.keys()).filter((pixel) => known[pixel] && (!selection || selection[pixel]));
}

/** Copy the known pixels of a selection. @param {Canvas} canvas @param {Uint8Array | null} selection @returns {Clip | null} */
export function copy(canvas, selection) {
  const pixels = selectedPixels(canvas, selection);
  if (!pixels.length) return null;
  const { levels } = visibleImage(canvas);
  const channels = canvas.details.image.channels;
  const size = canvas.known.length;
  const places = pixels.map((pixel) => placeOf(pixel, canvas));
  const [top, left] = cornerOf(places);
  return {
    levels: pixels.map((pixel) => Array.from({ length: channels }, (_, c) => levels[c * size + pixel])),
    places: places.map(([row, column]) => [row - top, column - left]),
  };
}

/** Erase the pixels of a selection. @param {Canvas} canvas @param {Uint8Array} selection */
export function erase(canvas, selection) {
  const image = visibleImage(canvas);
  const known = image.known.map((one, pixel) => (selection[pixel] ? 0 : one));
  return withImage(canvas, image.levels.map((level, i) => (known[i % known.length] ? level : 0)), known);
}

/** Put copied pixels onto a canvas; return it and the mask of them. @param {Canvas} canvas @param {Clip} clip @param {Place} corner */
export function paste(canvas, clip, [row, column]) {
  const image = visibleImage(canvas);
  const [levels, known] = [image.levels.slice(), image.known.slice()];
  const mask = new Uint8Array(known.length);
  clip.places.forEach(([down, across], i) => {
    const [pixel] = pixelsOf([[row + down, column + across]], canvas);
    if (pixel === undefined) return;
    known[pixel] = mask[pixel] = 1;
    clip.levels[i].slice(0, levels.length / known.length).forEach((level, c) => (levels[c * known.length + pixel] = level));
  });
  return { canvas: withImage(canvas, levels, known), mask };
}

/** A region that is moved: cut out of a canvas, and put down where the pointer is. */
export class MoveStroke {
  /** @param {Canvas} canvas @param {Uint8Array | null} selection @param {number} pixel the first */
  constructor(canvas, selection, pixel) {
    const pixels = selectedPixels(canvas, selection);
    this.clip = copy(canvas, selection);
    this.rest = erase(canvas, maskOf(pixels, canvas));
    this.first = placeOf(pixel, canvas);
    this.corner = cornerOf(pixels.map((one) => placeOf(one, canvas)));
  }

  /** Return the canvas with the region moved to a pixel, and the mask of the region. @param {number} pixel */
  at(pixel) {
    const [row, column] = placeOf(pixel, this.rest);
    const corner = /** @type {Place} */ ([this.corner[0] + row - this.first[0], this.corner[1] + column - this.first[1]]);
    return this.clip ? paste(this.rest, this.clip, corner) : { canvas: this.rest, mask: null };
  }
}
