// Commands of keys and buttons, in one place.

/** @typedef {import("./state.js").State} State */

const ZOOM = 1.5;
const MAX_BRUSH = 16;

/**
 * @typedef {object} Context the parts of the studio that commands use
 * @property {State} state @property {import("./playback.js").Playback} playback @property {import("./painter.js").Painter} painter
 * @property {import("./pointer_tools.js").PointerTools} pointerTools @property {import("./queries.js").Queries} queries
 * @property {import("./dialogs.js").Dialogs} dialogs @property {import("./upload.js").Uploader} uploader
 */

export class Commands {
  /** @param {Context} context */
  constructor({ state, playback, painter, pointerTools, queries, dialogs, uploader }) {
    this.state = state;
    this.playback = playback;
    this.painter = painter;
    this.pointerTools = pointerTools;
    this.queries = queries;
    this.dialogs = dialogs;
    this.uploader = uploader;
  }

  paint() {
    this.painter.paint();
  }

  continuePainting() {
    this.painter.continuePainting();
  }

  repaint() {
    this.painter.repaint(this.queries);
  }

  escape() {
    if (this.state.work) this.painter.stop();
    else this.release();
  }

  /** Release the held pixel. */
  release() {
    const { state } = this;
    state.heldPixel = state.hover = state.notice = null;
    if (state.view === "saliency" || state.view === "shift") state.view = "image";
    state.changed();
  }

  /** @param {State["view"]} view */
  view(view) {
    const needsHeldPixel = view === "saliency" || view === "shift";
    if (needsHeldPixel && !this.state.heldPixel) return;
    this.state.view = view;
    this.state.changed();
  }

  /** @param {State["tool"]} tool */
  tool(tool) {
    this.state.tool = tool;
    this.state.heldPixel = tool === "inspect" ? this.state.heldPixel : null;
    this.view(this.state.heldPixel || this.state.view === "entropy" || this.state.view === "surprisal" ? this.state.view : "image");
  }

  /** @param {number} more */
  brush(more) {
    this.state.brush = Math.max(1, Math.min(MAX_BRUSH, this.state.brush + more));
    this.state.changed();
  }

  /** @param {number} steps 0 fits the canvas */
  zoom(steps) {
    this.state.zoomTo(steps === 0 ? 1 : this.state.zoom * ZOOM ** steps);
  }

  grid() {
    this.state.grid = !this.state.grid;
    this.state.changed();
  }

  /** Activate another canvas. @param {number} steps */
  next(steps) {
    const { active, canvases } = this.state;
    this.state.activate((active + steps + canvases.length) % canvases.length);
  }

  open() {
    this.uploader.choose();
  }

  /** Set the pencil to the level under the cursor. */
  pick() {
    const pixel = this.state.hover?.pixel ?? this.state.heldPixel?.pixel;
    if (pixel !== undefined) this.pointerTools.pick(pixel);
  }

  undo() {
    this.#restored(this.state.history.undo());
  }

  redo() {
    this.#restored(this.state.history.redo());
  }

  /** @param {boolean} moved */
  #restored(moved) {
    if (!moved) return;
    this.state.resetView();
    this.state.changed();
  }

  keys() {
    this.dialogs.showKeys();
  }

  /** Move the cursor of the keyboard. @param {number} pixel */
  moveTo(pixel) {
    const { state } = this;
    if (state.heldPixel) state.heldPixel = { pixel, choice: state.heldPixel.choice.map(() => null) };
    if (state.playing) this.playback.pause();
    this.pointerTools.hover(state.active, pixel);
    state.follow = true;
    state.changed();
  }

  /** Hold a pixel, or draw on it. @param {number} pixel */
  press(pixel) {
    if (this.state.tool === "inspect") this.pointerTools.hold(pixel);
    else this.pointerTools.drawPixel(pixel);
  }

  /** Empty the active canvas. */
  clear() {
    const { canvas } = this.state;
    if (!canvas) return;
    const empty = { ...canvas, levels: canvas.levels.slice().fill(0), known: new Uint8Array(canvas.known.length), trace: null, verdict: null, rng: null };
    this.state.replace(empty);
  }
}
