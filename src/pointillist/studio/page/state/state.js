// State of the page. Components read it and redraw after every change, once per frame.

import { blankCanvas, holdsAnything, sameGrid } from "../canvas/canvas_model.js";
import { History } from "./history.js";
import { recoloured } from "../drawing/palette_files.js";
import { defaultRequest, requestOfCanvas, requestOfModel } from "./request.js";
/** @typedef {{canvases: Canvas[], active: number, hint?: Hint | null, columns?: number | null}} Workspace `hint`: as it was drawn; `columns` of a grid */
/** @typedef {"image" | "entropy" | "surprisal" | "saliency" | "shift" | "differences"} View */
/** @typedef {"inspect" | "move" | import("../drawing/strokes.js").DrawingTool | import("../drawing/selecting.js").SelectionTool} Tool */
/** @typedef {{pixel: number, choice: (number | null)[]}} HeldPixel a held pixel, and levels chosen for its channels */
/** @typedef {{index: number, pixel: number}} Hover a pixel under the pointer, and the index of its canvas */
/** @typedef {{kind: "error" | "good" | "plain", text: string}} Notice */
/** @typedef {{canvas: Canvas, word: number, exchange: Api.WordExchange | null}} ShownWord the word of a prompt whose map lies over its image, or its exchange */
/** @typedef {{id: string, canvas: Canvas, name: string, favourite: boolean, live?: boolean}} GalleryItem `id`: sorts by time; `live`: painted while its hint was drawn */
/** @typedef {{waiting: number | null, stop: AbortController, filling?: number}} Work `waiting`: jobs ahead in the queue; `filling`: since when, in milliseconds */

/** @typedef {import("./request.js").Request} Request */
/** @typedef {{request: Request, workspace: Workspace}} Draft */

export const SPEEDS = [4, 16, 64, 256, 1024, 4096, Infinity]; // pixels per second; the last is live
const USUAL_SECONDS = 4, MAX_ZOOM = 16;
const RECENT = 8; // inks
const SHORT_NOTICE = 8, LONG_NOTICE = 30; // seconds that a notice stays

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
    /** @type {number[][]} inks used before, the newest first */
    this.recentInks = [];
    this.inkKind = ""; // the kind of image that the inks belong to
    /** @type {import("../drawing/shapes.js").Mirror} */
    this.mirror = "";
    this.filled = false; // whether rectangles and ellipses are drawn filled
    /** @type {Uint8Array | null} the selected pixels of the active canvas */
    this.selection = null;
    /** @type {import("../drawing/selecting.js").Clip | null} copied pixels */
    this.clip = null;
    /** @type {import("../transport/filler.js").Fill | null} the newest candidates */
    this.fill = null;
    /** @type {"auto" | "sequential"} */
    this.fillMethod = "auto";
    this.workers = 1; // that paint at once on an exported page
    this.exported = false; // whether this is an exported page, which paints without a server
    this.marksKnown = false; // whether the pixels that a fill kept are outlined
    this.tiled = false; // whether canvases are shown between their repetitions
    this.zoom = 1;
    this.grid = true;
    /** @type {HeldPixel | null} */
    this.heldPixel = null;
    /** @type {Hover | null} */
    this.hover = null;
    /** @type {ShownWord | null} */
    this.word = null;
    /** @type {Work | null} */
    this.work = null;
    /** @type {Notice | null} */
    this.notice = null;
    /** @type {GalleryItem[]} the newest first */
    this.gallery = [];
    /** @type {boolean | null} whether this browser keeps the work; null until that is known */
    this.kept = null;
    /** @type {Map<string, Draft>} of the models that are not selected: what was on their canvas and in their prompt panel */
    this.drafts = new Map();
    /** @type {import("./map_edits.js").MapEdits} cells of endless maps that were changed by hand; each change makes a new one */
    this.mapEdits = new Map();
    this.link = ""; // of the address, when the work was kept
    this.remixed = false; // whether the picture of a link was changed since
    this.cardClosed = false; // whether the card of the first visit was closed
    this.wanted = ""; // id of the model that was selected before a reload
    /** @type {Request | null} the values of its prompt panel */
    this.restoredRequest = null;
    this.ghosts = true; // whether completions appear while one draws
    /** @type {import("../drawing/ghosts.js").Ghost | null} */
    this.ghost = null;
    this.paintWhileDrawing = true; // whether each stroke of a hint paints the image again
    this.hintInk = /** @type {0 | 1} */ (1); // level of the pencil on a pad of two levels
    this.padInHand = true; // whether the last stroke was on the pad of a hint
    this.live = false; // whether the painting at work follows the strokes of a hint
    this.singleKeys = true; // whether letters alone are shortcuts
    /** @type {Map<string, Api.ModelDetails>} details of models that are shown in other colours */
    this.ownDetails = new Map();
    this.panelSerial = 0; // counts the changes of the request that do not come from its panel
    this.run = /** @type {import("./training.js").WatchedRun | null} */ (null);
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

  /** @returns {Canvas | undefined} */
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
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const usual = still ? Infinity : (SPEEDS.find((speed) => length / speed <= USUAL_SECONDS) ?? Infinity);
    return this.live ? Infinity : (this.chosenSpeed ?? usual);
  }

  /** Show other canvases; undo restores the former ones. @param {Canvas[]} canvases @param {number} [active] @param {number | null} [columns] */
  show(canvases, active = 0, columns = null) {
    this.history.push({ canvases, active, hint: this.request.hint, columns });
    this.resetView();
    this.changed();
  }

  /** Change the hint; undo restores the former one. @param {Hint | null} hint */
  setHint(hint) {
    this.request.hint = hint;
    this.history.push({ ...this.history.now, hint });
    this.changed();
  }

  /** Show other canvases without a step of undo. @param {Canvas[]} canvases */
  showLive(canvases) {
    this.history.now = { ...this.history.now, canvases, active: 0 };
    this.resetView();
  }

  /** Show other canvases, without a way back. @param {Canvas[]} canvases */
  forget(canvases) {
    this.history = new History({ canvases, active: 0 });
    this.drafts.clear();
    this.fill = this.clip = null;
    this.resetView();
    this.changed();
  }

  /** Replace the active canvas. @param {Canvas} canvas */
  replace(canvas) {
    this.show(this.canvases.map((old, i) => (i === this.active ? canvas : old)), this.active, this.history.now.columns);
  }

  /** Replace a canvas without a step of undo. @param {Canvas} from @param {Canvas} to */
  exchange(from, to) {
    this.history.now = { ...this.history.now, canvases: this.canvases.map((canvas) => (canvas === from ? to : canvas)) };
    this.changed();
  }

  /** Set the pencil to other levels. @param {number[]} ink */
  takeInk(ink) {
    const others = [this.ink, ...this.recentInks].filter((one) => one.length === ink.length && String(one) !== String(ink));
    this.recentInks = others.filter((one, i) => others.findIndex((other) => String(other) === String(one)) === i).slice(0, RECENT);
    this.ink = ink;
    this.changed();
  }

  /** @param {number} zoom 1 fits the canvases */
  zoomTo(zoom) {
    this.zoom = Math.max(1, Math.min(MAX_ZOOM, zoom));
    this.changed();
  }

  /** Reset what belongs to a canvas: held pixel, view and playback. */
  resetView() {
    this.heldPixel = this.hover = null;
    if (this.view === "saliency" || this.view === "shift" || this.view === "differences") this.view = "image";
    if (this.selection && this.selection.length !== this.canvas?.known.length) this.selection = null;
    this.at = this.arrived;
    this.playing = false;
  }

  /** Activate another canvas. @param {number} active */
  activate(active) {
    if (active === this.active || !this.canvases[active]) return;
    this.history.now = { ...this.history.now, active };
    this.heldPixel = this.hover = this.selection = null;
    this.changed();
  }

  /** Show the images of the selected model in other colours; null for its own. @param {[number, number, number][] | null} colours */
  recolour(colours) {
    const { model } = this;
    const own = model && (this.ownDetails.get(model.id) ?? model.details);
    if (own?.image.palette) this.usePalette(colours && recoloured(own.image.palette, colours));
  }

  /** Show the images of the selected model in these colours, one for each level; null for its own. @param {[number, number, number, number][] | null} palette */
  usePalette(palette) {
    const { model } = this, own = model && (this.ownDetails.get(model.id) ?? model.details);
    if (!model || !own || (!palette && model.details === own)) return;
    const details = palette ? { ...own, image: { ...own.image, palette } } : own;
    if (palette) this.ownDetails.set(model.id, own);
    else this.ownDetails.delete(model.id);
    this.models = this.models.map((one) => (one === model ? { ...one, details } : one));
    const canvases = this.canvases.map((canvas) => (canvas.details.sha256 === own.sha256 ? { ...canvas, details } : canvas));
    this.show(canvases, this.active, this.history.now.columns);
  }

  /** Select another model, with the settings that suit it. The canvases stay if it paints the same kind of image. @param {string} id */
  useModel(id) {
    const draft = this.#switch(id);
    const { details } = this;
    if (!details) return;
    const { count } = this.request;
    this.request = draft ? { ...draft.request } : { ...requestOfModel(details), count, ...(id === this.wanted ? this.restoredRequest : null) };
    Object.assign(this, { wanted: "", restoredRequest: null });
    const { channels, levels, mode } = details.image;
    const kind = [channels, levels, mode].join(); // the same numbers would be another colour with other levels
    if (kind !== this.inkKind) {
      this.inkKind = kind;
      this.recentInks = [];
      this.ink = Array.from({ length: channels }, () => levels - 1);
    }
    const { canvas } = this;
    const usable = draft?.workspace.canvases.every((one) => one.details.sha256 === details.sha256) ? draft.workspace : null;
    const { canvases, active, columns } = usable ?? { canvases: [blankCanvas(id, details)], active: 0, columns: null };
    if (!canvas) this.history.now = { canvases, active };
    else if (!sameGrid(canvas.details.image, details.image) || (!holdsAnything(canvas) && (usable || canvas.model !== id))) this.show(canvases, active, columns);
    this.changed();
  }

  /** Select another model, and keep a draft of what the former one shows; return the draft of the other. @param {string} id */
  #switch(id) {
    if (this.modelId && this.modelId !== id) this.drafts.set(this.modelId, { request: this.request, workspace: this.history.now });
    this.modelId = id;
    const draft = this.drafts.get(id) ?? null;
    this.drafts.delete(id);
    return draft;
  }

  /** Empty the prompt panel: the settings that suit the model, and no conditions. */
  resetRequest() {
    if (!this.details) return;
    this.request = { ...requestOfModel(this.details), text: "", hint: null };
    this.history.now = { ...this.history.now, hint: null };
    this.panelSerial++;
    this.changed();
  }

  /** Return the open model that a canvas belongs to, by its hash. @param {Canvas} canvas */
  modelOf(canvas) {
    const same = this.models.filter((model) => model.details?.sha256 === canvas.details.sha256);
    return same.find((model) => model.id === canvas.model) ?? same[0] ?? null;
  }

  /** Take over model, conditions and settings of a canvas; return false if its model is not open. @param {Canvas} canvas */
  useSettings(canvas) {
    const model = this.modelOf(canvas);
    if (!model?.details) return false;
    if (model.id !== this.modelId) {
      this.#switch(model.id);
      this.request = { ...defaultRequest(), count: this.request.count };
    }
    this.request = requestOfCanvas(canvas, model.details, this.request);
    this.history.now = { ...this.history.now, hint: this.request.hint };
    this.panelSerial++;
    this.changed();
    return true;
  }

  /** Act, and show what goes wrong. @param {() => unknown} act */
  async attempt(act) {
    try {
      await act();
    } catch (error) {
      this.notify("error", error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {Notice["kind"]} kind @param {string} text @param {number} [seconds] for which it stays */
  notify(kind, text, seconds = kind === "error" ? LONG_NOTICE : SHORT_NOTICE) {
    const notice = { kind, text };
    this.notice = notice;
    setTimeout(() => {
      if (this.notice !== notice) return;
      this.notice = null;
      this.changed();
    }, 1000 * seconds);
    this.changed();
  }
}
