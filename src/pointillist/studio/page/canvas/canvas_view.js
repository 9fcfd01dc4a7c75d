// View of one canvas: image, overlay, grid lines and marks, and pointer events by pixel.

import { hasHole, holdsAnything, visibleImage } from "./canvas_model.js";
import { formatFixed, html, svg, updateChildren } from "../shared/dom.js";
import { brushOffset, outlinePath, pixelAt, placeOf } from "../drawing/shapes.js";
import { isDrawingTool } from "../drawing/strokes.js";
import { SETTING_NAMES } from "../state/paint_jobs.js";
import { nameOf } from "../transport/painter.js";
import { drawImage } from "./draw_image.js";
import { fill } from "../shared/fill.js";
import { edgeOf, tilesOf } from "./tiles.js";

const CAPTION_EXTRA = 14; // screen pixels that a caption may be wider than its canvas, as in studio.css
const CHARACTER = 6.6; // screen pixels of a character, at most
const TILES_FROM = 8; // screen pixels per cell of a map; below that, tiles are too small to recognize
const GRID_FROM = 7; // screen pixels per image pixel; below that, lines would hide the image
const SHADES = 64, GRID_OF_SHADES_FROM = 16; // among more levels, a line is taken for something that is there

export class CanvasView {
  /** @param {(pixel: number | null, event: PointerEvent) => void} onPointer */
  constructor(onPointer) {
    this.image = html("canvas", { className: "image", tabIndex: 0, role: "application" });
    this.ghost = html("canvas", { className: "ghost", "aria-hidden": "true" });
    this.map = html("canvas", { className: "map" });
    this.lines = html("div", { className: "lines" });
    this.marks = ["now", "hover", "held"].map((kind) => html("div", { className: `mark ${kind}` }));
    this.tiles = html("canvas", { className: "tiles", "aria-hidden": "true" });
    this.selection = svg("svg", { class: "selection", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("path", { class: "under" }), svg("path", { class: "over" }));
    /** @type {Uint8Array | null} */
    this.selected = null;
    this.frame = html("div", { className: "frame" }, this.tiles, this.image, this.ghost, this.map, this.lines, ...this.marks);
    this.frame.append(this.selection);
    this.caption = html("p", { className: "caption" });
    this.el = html("div", { className: "canvas-view" }, this.frame, this.caption);
    /** @type {Canvas | null} */
    this.canvas = null;
    this.drawKey = "";
    for (const kind of ["pointerdown", "pointermove", "pointerup", "pointerleave", "pointercancel"])
      this.image.addEventListener(kind, (event) => onPointer(this.canvas && pixelAt(this.image, /** @type {PointerEvent} */ (event), this.canvas), /** @type {PointerEvent} */ (event)));
  }

  /**
   * @param {State} state @param {Canvas} canvas @param {number} index of the canvas @param {number} scale
   * @param {import("./overlays.js").Overlay | null} overlay @param {string} caption
   */
  update(state, canvas, index, scale, overlay, caption) {
    const isActive = index === state.active;
    const fresh = canvas !== this.canvas;
    this.canvas = canvas;
    const image = visibleImage(canvas, state.at);
    const tiles = scale < TILES_FROM ? null : tilesOf(canvas.details.image);
    const drawKey = [Math.floor(state.at), state.stroke, canvas.trace?.arrived, tiles !== null].join();
    if (fresh || drawKey !== this.drawKey) drawImage(this.image, canvas.details.image, image, canvas.height, canvas.width, { tiled: tiles !== null });
    this.image.classList.toggle("smooth", tiles !== null && scale < tiles.width);
    this.drawKey = drawKey;
    this.frame.classList.toggle("hole", hasHole(canvas));
    this.frame.classList.toggle("filling", isActive && !state.live && Boolean(state.work?.filling));
    this.frame.classList.toggle("empty", !holdsAnything(canvas));
    this.#drawGhost(canvas, image.known, isActive && state.view === "image" ? state.ghost : null, tiles !== null);
    this.#tile(state, canvas, scale);
    this.#select(canvas, isActive ? (state.selection ?? (state.marksKnown && canvas.filled ? canvas.known : null)) : null);
    this.frame.style.setProperty("--scale", `${scale}px`);
    this.frame.style.width = `${canvas.width * scale}px`;
    this.frame.style.height = `${canvas.height * scale}px`;
    this.caption.style.maxWidth = `${canvas.width * scale + CAPTION_EXTRA}px`;
    this.caption.hidden = state.canvases.length === 1 && !canvas.verdict;
    this.lines.hidden = !state.grid || scale < (canvas.details.image.levels > SHADES ? GRID_OF_SHADES_FROM : GRID_FROM);
    this.el.classList.toggle("active", isActive && state.canvases.length > 1);
    this.#drawMap(state, canvas, overlay);
    this.#mark(state, canvas, index, scale);
    this.#name(state, canvas, index, caption);
  }

  /** Show a completion faintly where nothing is drawn. @param {Canvas} canvas @param {Uint8Array} known @param {import("../drawing/ghosts.js").Ghost | null} ghost @param {boolean} tiled */
  #drawGhost(canvas, known, ghost, tiled) {
    const shown = ghost?.canvases[ghost.chosen];
    this.ghost.hidden = !shown || shown.known.length !== known.length;
    if (!shown || this.ghost.hidden) return;
    drawImage(this.ghost, canvas.details.image, { levels: visibleImage(shown).levels, known: known.map((one) => 1 - one) }, canvas.height, canvas.width, { tiled });
  }

  /** Show the image between its repetitions. @param {State} state @param {Canvas} canvas @param {number} scale */
  #tile(state, canvas, scale) {
    this.tiles.hidden = !state.tiled;
    const edge = edgeOf(canvas.details.image);
    this.frame.style.margin = state.tiled ? `${edge * canvas.height * scale}px ${edge * canvas.width * scale}px` : "";
    if (!state.tiled) return;
    this.tiles.style.inset = `${-100 * edge}%`;
    this.tiles.style.width = this.tiles.style.height = `${100 * (1 + 2 * edge)}%`;
    const { width, height } = this.image, [across, down] = [Math.round(edge * width), Math.round(edge * height)];
    Object.assign(this.tiles, { width: width + 2 * across, height: height + 2 * down });
    const context = this.tiles.getContext("2d");
    for (let i = 0; i < 9; i++) context?.drawImage(this.image, across + ((i % 3) - 1) * width, down + (Math.floor(i / 3) - 1) * height);
  }

  /** Outline the selected pixels. @param {Canvas} canvas @param {Uint8Array | null} mask */
  #select(canvas, mask) {
    this.selection.style.display = mask ? "" : "none";
    if (!mask || mask === this.selected) return;
    this.selected = mask;
    this.selection.setAttribute("viewBox", `0 0 ${canvas.width} ${canvas.height}`);
    const path = outlinePath(mask, canvas);
    for (const el of this.selection.children) el.setAttribute("d", path);
  }

  /** @param {State} state @param {Canvas} canvas @param {import("./overlays.js").Overlay | null} overlay */
  #drawMap(state, canvas, overlay) {
    this.map.hidden = overlay === null;
    if (!overlay) return;
    this.map.style.opacity = String(state.strength);
    fill(this.map, canvas.height, canvas.width, (row, column) => {
      const pixel = row * canvas.width + column, value = overlay.at(pixel);
      return value === null ? null : overlay.colour(value, pixel);
    });
  }

  /** @param {State} state @param {Canvas} canvas @param {number} index @param {number} scale */
  #mark(state, canvas, index, scale) {
    const isActive = index === state.active;
    const { trace } = canvas;
    const last = trace ? Math.min(Math.floor(state.at), trace.arrived) : 0;
    const now = trace && last > 0 && last < trace.length ? trace.sequence[last - 1] : null;
    const markedPixels = [now, state.hover?.index === index ? state.hover.pixel : null, isActive ? (state.heldPixel?.pixel ?? null) : null];
    this.marks.forEach((mark, i) => {
      const pixel = markedPixels[i];
      mark.hidden = pixel === null;
      if (pixel === null) return;
      mark.style.left = `${(pixel % canvas.width) * scale}px`;
      mark.style.top = `${Math.floor(pixel / canvas.width) * scale}px`;
    });
    if (state.hover?.index === index) this.#outlineBrush(state, canvas, state.hover.pixel, scale);
  }

  /** Outline the pixels that the tool would draw on. @param {State} state @param {Canvas} canvas @param {number} pixel @param {number} scale */
  #outlineBrush(state, canvas, pixel, scale) {
    const brush = isDrawingTool(state.tool) && state.tool !== "bucket" ? state.brush : 1;
    const [row, column] = placeOf(pixel, canvas);
    const side = (/** @type {number} */ at, /** @type {number} */ size) => [Math.max(0, at + brushOffset(brush)), Math.min(size, at + brushOffset(brush) + brush)];
    const [[top, bottom], [left, right]] = [side(row, canvas.height), side(column, canvas.width)];
    const box = { left, top, width: right - left, height: bottom - top };
    for (const [name, value] of Object.entries(box)) this.marks[1].style.setProperty(name, `${value * scale}px`);
  }

  /** @param {State} state @param {Canvas} canvas @param {number} index @param {string} caption */
  #name(state, canvas, index, caption) {
    const { verdict } = canvas;
    updateChildren(this.caption, [caption, verdict?.text].join("|"), () => [caption, verdict ? html("b", { className: verdict.same ? "verdict same" : "verdict" }, ` ${verdict.text}`) : ""]);
    this.caption.title = canvas.caption;
    const name = `Canvas ${index + 1} of ${state.canvases.length}: ${nameOf(canvas)}, ${canvas.height} by ${canvas.width} pixels. Arrow keys select a pixel.`;
    if (this.image.getAttribute("aria-label") !== name) this.image.setAttribute("aria-label", name);
  }
}

/**
 * Return a caption for each of the canvases side by side, what differs between them and their bits: all in the longest form that has room everywhere, or the shortest.
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
