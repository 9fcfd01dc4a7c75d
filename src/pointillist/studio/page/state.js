// State of the page. Components read it and redraw after every change, once per frame.

import { blankCanvas, holdsAnything, sameGrid } from "./canvas_model.js";
import { History } from "./history.js";

/** @typedef {import("./canvas_model.js").Canvas} Canvas */
/** @typedef {import("./canvas_model.js").Settings} Settings */
/** @typedef {{canvases: Canvas[], active: number}} Workspace */
/** @typedef {"image" | "entropy" | "surprisal" | "saliency" | "shift"} View */
/** @typedef {"inspect" | "pencil" | "eraser"} Tool */
/** @typedef {{pixel: number, choice: (number | null)[]}} HeldPixel a held pixel, and levels chosen for its channels */
/** @typedef {{index: number, pixel: number}} Hover a pixel under the pointer, and the index of its canvas */
/** @typedef {{kind: "error" | "good" | "plain", text: string}} Notice */
/** @typedef {{canvas: Canvas, name: string}} GalleryItem an image of this session */
/** @typedef {{waiting: number | null, stop: AbortController}} Work `waiting`: jobs ahead in the queue */

/**
 * @typedef {object} Request the values of the prompt panel
 * @property {number | null} label @property {string} text
 * @property {Record<string, number>} attributes @property {number[] | null} vector @property {Hint | null} hint
 * @property {number} guidance @property {number} temperature @property {number} top_p @property {string | null} order
 * @property {number | null} seed @property {[number, number] | null} size @property {number} count
 * @property {Compare} compare
 */
/** @typedef {{levels: Api.EncodedArray, name: string, text?: string}} Hint `text`: as typed */
/** @typedef {{by: "" | "label" | "guidance" | "temperature" | "top_p" | "model", values: string}} Compare */

/** @returns {Request} */
const defaultRequest = () => ({
  label: null, text: "", attributes: {}, vector: null, hint: null, guidance: 1, temperature: 1, top_p: 1, order: null,
  seed: null, size: null, count: 1, compare: { by: "", values: "" },
});

export const SPEEDS = [4, 16, 64, 256, 1024, 4096, Infinity]; // pixels per second; the last is live
const USUAL_SECONDS = 4;
const MAX_ZOOM = 16;

export class State {
  constructor() {
    /** @type {Api.ModelInfo[]} */
    this.models = [];
    /** @type {Api.Limits | null} */
    this.limits = null;
    this.version = "";
    this.modelId = "";
    this.request = defaultRequest();
    /** @type {History<Workspace>} */
    this.history = new History({ canvases: [], active: 0 });
    this.at = 0;
    this.playing = false;
    /** @type {number | null} chosen by the user */
    this.chosenSpeed = null;
    /** @type {View} */
    this.view = "image";
    this.strength = 1;
    /** @type {Tool} */
    this.tool = "inspect";
    this.brush = 1;
    /** @type {number[]} levels of the pencil */
    this.ink = [];
    this.zoom = 1;
    this.grid = true;
    /** @type {HeldPixel | null} */
    this.heldPixel = null;
    /** @type {Hover | null} */
    this.hover = null;
    /** @type {Work | null} */
    this.work = null;
    /** @type {Notice | null} */
    this.notice = null;
    /** @type {GalleryItem[]} the newest first */
    this.gallery = [];
    this.follow = false; // whether to scroll the hovered pixel into view
    this.stroke = 0; // counts the steps of the current stroke
    /** @type {(() => void)[]} */
    this.listeners = [];
  }

  #frame = 0;

  /** Redraw in the next frame. */
  changed() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#notifyListeners());
  }

  #notifyListeners() {
    this.#frame = 0;
    for (const listener of this.listeners) listener();
  }

  /** The selected model, or null. */
  get model() {
    return this.models.find((model) => model.id === this.modelId) ?? null;
  }

  get details() {
    return this.model?.details ?? null;
  }

  get canvases() {
    return this.history.now.canvases;
  }

  get active() {
    return this.history.now.active;
  }

  /** The active canvas. @returns {Canvas | undefined} */
  get canvas() {
    return this.canvases[this.active];
  }

  /** Number of pixels of the longest painting. */
  get length() {
    return Math.max(0, ...this.canvases.map((canvas) => canvas.trace?.length ?? 0));
  }

  /** Number of pixels that can be shown now. */
  get arrived() {
    const late = this.canvases.map((canvas) => (canvas.trace && !canvas.trace.over ? canvas.trace.arrived : Infinity));
    const arrived = Math.max(0, ...this.canvases.map((canvas) => canvas.trace?.arrived ?? 0));
    return Math.min(arrived, ...late);
  }

  /** Playback speed in pixels per second. */
  get speed() {
    const length = this.length || (this.canvas?.known.length ?? 0);
    const usual = SPEEDS.find((speed) => length / speed <= USUAL_SECONDS) ?? Infinity;
    return this.chosenSpeed ?? usual;
  }

  /** Show other canvases; undo restores the former ones. @param {Canvas[]} canvases @param {number} [active] */
  show(canvases, active = 0) {
    this.history.push({ canvases, active });
    this.resetView();
    this.changed();
  }

  /** Replace the active canvas. @param {Canvas} canvas */
  replace(canvas) {
    this.show(this.canvases.map((old, i) => (i === this.active ? canvas : old)), this.active);
  }

  /** @param {number} zoom 1 fits the canvases */
  zoomTo(zoom) {
    this.zoom = Math.max(1, Math.min(MAX_ZOOM, zoom));
    this.changed();
  }

  /** Reset what belongs to a canvas: held pixel, view and playback. */
  resetView() {
    this.heldPixel = this.hover = null;
    if (this.view === "saliency" || this.view === "shift") this.view = "image";
    this.at = this.length;
    this.playing = false;
  }

  /** Activate another canvas. @param {number} active */
  activate(active) {
    if (active === this.active || !this.canvases[active]) return;
    this.history.now = { ...this.history.now, active };
    this.heldPixel = this.hover = null;
    this.changed();
  }

  /** Select another model, with the settings that suit it. The canvases stay if it paints the same kind of image. @param {string} id */
  useModel(id) {
    this.modelId = id;
    const { details } = this;
    if (!details) return;
    const { seed, count } = this.request;
    const { guidance, temperature, top_p } = details.generation;
    this.request = { ...defaultRequest(), seed, count, guidance, temperature, top_p };
    if (this.ink.length !== details.image.channels || this.ink.some((level) => level >= details.image.levels))
      this.ink = Array.from({ length: details.image.channels }, () => details.image.levels - 1);
    const { canvas } = this;
    const canvases = [blankCanvas(id, details)];
    if (!canvas) this.history.now = { canvases, active: 0 };
    else if (!sameGrid(canvas.details.image, details.image) || !holdsAnything(canvas)) this.show(canvases);
    this.changed();
  }

  /** @param {Notice["kind"]} kind @param {string} text */
  notify(kind, text) {
    this.notice = { kind, text };
    this.changed();
  }
}
