// A part of an endless map on the canvas, where all tools are; what is changed there goes back into the map.

import { blankCanvas, isComplete, visibleImage } from "../canvas/canvas_model.js";
import { html } from "../shared/dom.js";
import { cellOf } from "../state/map_edits.js";

/** @typedef {{row: number, column: number, seed: number, model: string, drawn: Uint8Array | Uint16Array, height: number, width: number}} Taken a part that lies on the canvas, as it was drawn */

/** Name a part that lies on the canvas. @param {{row: number, column: number}} part */
const captionOf = ({ row, column }) => `row ${row}, column ${column}`;

export class MapPart {
  /** @param {import("../state/state.js").State} state @param {import("../transport/painter.js").Painter} painter @param {() => void} open opens the map */
  constructor(state, painter, open) {
    this.state = state;
    this.painter = painter;
    /** @type {Taken | null} */
    this.taken = null;
    this.back = html("button", { type: "button", className: "strong", hidden: true, onclick: open }, "Back to the map");
  }

  /** Whether the active canvas is a part of the map. */
  get isShown() {
    const { taken, state: { canvas } } = this;
    return Boolean(taken && canvas && canvas.model === taken.model && canvas.caption === captionOf(taken));
  }

  /** Take levels of the map to the canvas. @param {Uint8Array | Uint16Array} levels @param {{row: number, column: number, seed: number}} place */
  take(levels, { row, column, seed }) {
    const { details, modelId } = this.state;
    if (!details) return;
    const { height, width } = details.image;
    this.taken = { row, column, seed, model: modelId, drawn: levels.slice(), height, width };
    const canvas = { ...blankCanvas(modelId, details), levels, known: new Uint8Array(levels.length).fill(1), caption: captionOf({ row, column }) };
    this.painter.keepDrawings();
    this.state.show([canvas]);
  }

  /** Put what was changed on the canvas back into the map of a seed; return the middle of the part, or null if there is nothing to put back. @param {number} seed @returns {{row: number, column: number} | null} */
  putBack(seed) {
    const { taken, state } = this;
    const canvas = state.canvases.find((each) => taken && each.model === taken.model && each.caption === captionOf(taken));
    if (!taken || !canvas || canvas.height !== taken.height || canvas.width !== taken.width || seed !== taken.seed) return null;
    const image = visibleImage(canvas);
    if (!isComplete(image)) {
      state.notify("plain", "The part on the canvas has a hole: fill it, then open the map again.");
      return null;
    }
    const edits = new Map(state.mapEdits);
    image.levels.forEach((level, at) => {
      if (level !== taken.drawn[at]) edits.set(cellOf(taken.model, taken.seed, taken.row + Math.floor(at / taken.width), taken.column + (at % taken.width)), { level, byHand: true });
    });
    state.mapEdits = edits;
    state.changed();
    taken.drawn = image.levels.slice();
    return { row: taken.row + taken.height / 2, column: taken.column + taken.width / 2 };
  }
}
