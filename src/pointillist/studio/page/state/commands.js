// Commands of keys and buttons, in one place.

import { blankCanvas, holdsAnything, isStopped, withImage } from "../canvas/canvas_model.js";
import { copy, erase, paste } from "../drawing/selecting.js";
import { placeOf } from "../drawing/shapes.js";
import { blankLevels } from "../transport/encoded_arrays.js";
import { drawableHint } from "../drawing/hint_pad.js";

const FIRST_SEED = 1; // of the picture with which a model opens
const ZOOM = 1.5;
const MAX_BRUSH = 16;

/** Return true if a model has an example to show at once. @param {Api.ModelDetails | null} details */
export const hasExample = (details) => Boolean(details && (details.endless || (details.conditions.text && details.generation.prompts.length) || details.generation.labels.length || details.generation.hints.length || details.generation.pictures.length));

/**
 * @typedef {object} Context the parts of the studio that commands use
 * @property {State} state @property {import("../canvas/playback.js").Playback} playback @property {import("../transport/painter.js").Painter} painter
 * @property {import("../drawing/pointer_tools.js").PointerTools} pointerTools @property {import("../transport/queries.js").Queries} queries
 * @property {import("../widgets/dialogs.js").Dialogs} dialogs @property {import("../transport/upload.js").Uploader} uploader
 * @property {import("../transport/filler.js").Filler} filler @property {import("../panels/world_page.js").WorldPage} worldPage
 * @property {import("../panels/guess_page.js").GuessPage} guessPage @property {import("../drawing/ghosts.js").Ghosts} ghosts
 */

export class Commands {
  /** @param {Context} context */
  constructor({ state, playback, painter, pointerTools, queries, dialogs, uploader, filler, ghosts, worldPage, guessPage }) {
    this.state = state;
    this.playback = playback;
    this.painter = painter;
    this.pointerTools = pointerTools;
    this.queries = queries;
    this.dialogs = dialogs;
    this.uploader = uploader;
    this.filler = filler;
    this.ghosts = ghosts;
    this.worldPage = worldPage;
    this.guessPage = guessPage;
    this.examples = /** @type {WeakMap<PaintingTrace, Api.NamedPicture>} */ (new WeakMap());
  }

  /** Complete what is drawn on the canvas; where nothing is, paint new images. */
  paint() {
    return this.filler.completes ? this.filler.start() : this.painter.paint();
  }

  /** Begin with an empty canvas and an empty prompt, so that nothing counts but what is drawn; what was drawn goes to the gallery. */
  empty() {
    const { state } = this;
    if (!state.details || state.work) return;
    this.painter.keepDrawings();
    Object.assign(state.request, { text: "", letters: "" });
    state.panelSerial++;
    state.show([blankCanvas(state.modelId, state.details, state.request.size ?? undefined)]);
  }

  /** Show what the model can do: a picture of its examples, or one that it paints. */
  showExample() {
    const [picture] = this.state.details?.generation.pictures ?? [];
    return picture ? this.showPicture(picture) : this.painter.paint({ seed: FIRST_SEED });
  }

  /** Show an example picture, with its bits. @param {Api.NamedPicture} picture */
  async showPicture(picture) {
    const { state } = this;
    if (!state.model?.details || state.work) return;
    await this.uploader.show(state.model.id, state.model.details, picture.levels);
    if (state.canvas?.trace) this.examples.set(state.canvas.trace, picture);
    state.changed();
  }

  /** Select a model; one that is selected for the first time shows what it can paint. @param {string} id */
  useModel(id) {
    const { state } = this, isKnown = state.drafts.has(id);
    state.useModel(id);
    if (!isKnown && state.kept !== null && hasExample(state.details) && state.canvas && !holdsAnything(state.canvas)) void this.showExample();
  }

  /** Walk through an endless map. */
  walk() {
    this.worldPage.open();
  }

  /** Guess pixels against the model. */
  guess() {
    this.guessPage.open();
  }

  /** Go on with what was stopped, or fill the hole of the active canvas. */
  complete() {
    if (this.state.canvases.some(isStopped)) this.painter.continuePainting();
    else if (this.filler.available) this.filler.start();
  }

  repaint() {
    this.painter.repaint(this.queries);
  }

  escape() {
    if (this.state.work) this.painter.stop();
    else if (this.state.ghost) this.ghosts.dismiss();
    else if (this.state.selection) this.select(false);
    else this.release();
  }

  /** Select every pixel of the active canvas, or none. @param {boolean} all */
  select(all) {
    const { state } = this;
    state.selection = all && state.canvas ? new Uint8Array(state.canvas.known.length).fill(1) : null;
    state.changed();
  }

  /** Erase the selected pixels, so that the model can paint them. */
  erase() {
    const { canvas, selection } = this.state;
    if (canvas && selection) this.state.replace(erase(canvas, selection));
  }

  /** @param {boolean} cut whether to erase what is copied */
  copy(cut = false) {
    const { state } = this;
    if (!state.canvas) return;
    state.clip = copy(state.canvas, state.selection) ?? state.clip;
    if (cut && state.selection) this.erase();
    state.changed();
  }

  /** Paste copied pixels, with their upper left corner under the pointer. */
  paste() {
    const { canvas, clip, hover, active } = this.state;
    if (!canvas || !clip) return;
    const pasted = paste(canvas, clip, hover?.index === active ? placeOf(hover.pixel, canvas) : [0, 0]);
    this.state.replace(pasted.canvas);
    this.state.selection = pasted.mask;
    this.state.tool = "move";
    this.state.changed();
  }

  /** Extend the active canvas beyond its edges. */
  async extend() {
    const { canvas } = this.state;
    const sides = canvas && (await this.dialogs.askSides(canvas));
    if (!canvas || !sides) return;
    const [top, right, bottom, left] = sides;
    const size = { height: canvas.height + top + bottom, width: canvas.width + left + right };
    const most = this.state.limits?.pixels ?? 0;
    if (size.height * size.width > most) return this.state.notify("error", `A canvas of ${size.width} × ${size.height} pixels is over the limit of ${most.toLocaleString("en")}: extend it by less.`);
    const { image } = canvas.details;
    const blank = { ...canvas, ...size };
    const empty = withImage(blank, blankLevels(image, image.channels * size.height * size.width), new Uint8Array(size.height * size.width));
    const clip = copy(canvas, null);
    this.state.replace(clip ? paste({ ...empty, allowed: [] }, clip, [top, left]).canvas : empty);
  }

  /** Choose the levels that a fill may use in the selection. */
  async allow() {
    const { canvas, selection } = this.state;
    if (!canvas || !selection) return;
    const levels = await this.dialogs.askLevels(canvas.details.image);
    if (levels) this.state.replace({ ...canvas, allowed: [...canvas.allowed, { region: selection.slice(), levels }] });
  }

  /** Allow all levels everywhere again. */
  allowAll() {
    const { canvas } = this.state;
    if (canvas) this.state.replace({ ...canvas, allowed: [] });
  }

  /** Show canvases as a tile that is repeated. */
  tile() {
    this.state.tiled = !this.state.tiled;
    this.state.changed();
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
    const needsHeldPixel = this.state.view === "saliency" || this.state.view === "shift";
    if (needsHeldPixel && !this.state.heldPixel) this.state.view = "image";
    this.state.changed();
  }

  /** @param {number} more */
  brush(more) {
    this.state.brush = Math.max(1, Math.min(MAX_BRUSH, this.state.brush + more));
    this.state.changed();
  }

  /** Draw mirrored: left and right, up and down, both, not at all. */
  mirror() {
    const all = /** @type {const} */ (["", "x", "y", "both"]);
    this.state.mirror = all[(all.indexOf(this.state.mirror) + 1) % all.length];
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
    this.#restored(this.state.canvas, this.state.history.undo());
  }

  redo() {
    this.#restored(this.state.canvas, this.state.history.redo());
  }

  /** Follow a step of undo: from a painting to another one the settings follow, too. @param {Canvas | undefined} before @param {boolean} moved */
  #restored(before, moved) {
    if (!moved) return;
    const { canvas, request } = this.state;
    if (canvas && canvas !== before && before?.trace && canvas.trace?.painted && this.state.modelOf(canvas)?.id === this.state.modelId) {
      this.state.useSettings(canvas);
      if (request.seed === null) this.state.request.seed = null;
      if (this.state.canvases.length > 1 && canvas.compared) this.state.request.compare = { ...canvas.compared };
    }
    if (drawableHint(this.state.details)) this.state.request.hint = this.state.history.now.hint ?? null;
    this.state.resetView();
    this.state.changed();
  }

  keys() {
    this.dialogs.showKeys(this.state);
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
    this.painter.keepDrawings();
    const empty = { ...canvas, levels: canvas.levels.slice().fill(0), known: new Uint8Array(canvas.known.length), trace: null, verdict: null, rng: null, filled: null, allowed: [] };
    this.state.replace(empty);
  }
}
