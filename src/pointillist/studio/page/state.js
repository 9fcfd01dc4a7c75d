// What the page knows. Parts read it and draw themselves after every change, once a frame.

import { blankBoard, holdsAnything, sameGrid } from "./board.js";
import { History } from "./history.js";

/** @typedef {import("./board.js").Board} Board */
/** @typedef {import("./board.js").Settings} Settings */
/** @typedef {{boards: Board[], active: number}} Stage */
/** @typedef {"image" | "entropy" | "surprise" | "look" | "shift"} View */
/** @typedef {"look" | "pencil" | "eraser"} Tool */
/** @typedef {{pixel: number, choice: (number | null)[]}} Pin a pixel that is held, and other levels for its channels */
/** @typedef {{place: number, pixel: number}} Hover a pixel that is pointed at, and on which of the boards */
/** @typedef {{kind: "error" | "good" | "plain", text: string}} Notice */
/** @typedef {{board: Board, name: string}} Kept an image of this sitting */
/** @typedef {{waiting: number | null, stop: AbortController}} Work `waiting`: paintings that go before */

/**
 * @typedef {object} Ask what is asked for
 * @property {number | null} label @property {string} text
 * @property {Record<string, number>} attributes @property {number[] | null} vector @property {Hint | null} hint
 * @property {number} guidance @property {number} temperature @property {number} top_p @property {string | null} order
 * @property {number | null} seed @property {[number, number] | null} size @property {number} count
 * @property {Compare} compare
 */
/** @typedef {{levels: Api.Packed, name: string, text?: string}} Hint `text`: as it was typed */
/** @typedef {{by: "" | "label" | "guidance" | "temperature" | "top_p" | "model", values: string}} Compare */

/** @returns {Ask} */
const plainAsk = () => ({
  label: null, text: "", attributes: {}, vector: null, hint: null, guidance: 1, temperature: 1, top_p: 1, order: null,
  seed: null, size: null, count: 1, compare: { by: "", values: "" },
});

export const SPEEDS = [4, 16, 64, 256, 1024, 4096, Infinity]; // pixels a second; the last is as it comes
const USUAL_SECONDS = 4;
const MOST_ZOOM = 16;

export class State {
  constructor() {
    /** @type {Api.ModelInfo[]} */
    this.models = [];
    /** @type {Api.Limits | null} */
    this.limits = null;
    this.version = "";
    this.modelId = "";
    this.ask = plainAsk();
    /** @type {History<Stage>} */
    this.history = new History({ boards: [], active: 0 });
    this.at = 0;
    this.playing = false;
    /** @type {number | null} as chosen */
    this.chosenSpeed = null;
    /** @type {View} */
    this.view = "image";
    this.strength = 1;
    /** @type {Tool} */
    this.tool = "look";
    this.brush = 1;
    /** @type {number[]} levels of the pencil */
    this.ink = [];
    this.zoom = 1;
    this.grid = true;
    /** @type {Pin | null} */
    this.pin = null;
    /** @type {Hover | null} */
    this.hover = null;
    /** @type {Work | null} */
    this.work = null;
    /** @type {Notice | null} */
    this.notice = null;
    /** @type {Kept[]} the newest first */
    this.kept = [];
    this.follow = false; // whether the pixel that is pointed at is to be brought into view
    this.stroke = 0; // counts what a pencil has done to the board in hand
    /** @type {(() => void)[]} */
    this.listeners = [];
  }

  #frame = 0;

  /** Something is new: draw in the next frame. */
  changed() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#tell());
  }

  #tell() {
    this.#frame = 0;
    for (const listener of this.listeners) listener();
  }

  /** The model that is asked, or null. */
  get model() {
    return this.models.find((model) => model.id === this.modelId) ?? null;
  }

  get details() {
    return this.model?.details ?? null;
  }

  get boards() {
    return this.history.now.boards;
  }

  get active() {
    return this.history.now.active;
  }

  /** The board in hand. @returns {Board | undefined} */
  get board() {
    return this.boards[this.active];
  }

  /** Pixels that the longest painting on the stage has. */
  get length() {
    return Math.max(0, ...this.boards.map((board) => board.trace?.length ?? 0));
  }

  /** How far the hand can go now. */
  get arrived() {
    const late = this.boards.map((board) => (board.trace && !board.trace.over ? board.trace.arrived : Infinity));
    const there = Math.max(0, ...this.boards.map((board) => board.trace?.arrived ?? 0));
    return Math.min(there, ...late);
  }

  /** Pixels a second. */
  get speed() {
    const length = this.length || (this.board?.known.length ?? 0);
    const usual = SPEEDS.find((speed) => length / speed <= USUAL_SECONDS) ?? Infinity;
    return this.chosenSpeed ?? usual;
  }

  /** Put other boards on the stage; undo brings back what was there. @param {Board[]} boards @param {number} [active] */
  show(boards, active = 0) {
    this.history.push({ boards, active });
    this.forget();
    this.changed();
  }

  /** Replace the board in hand. @param {Board} board */
  replace(board) {
    this.show(this.boards.map((old, i) => (i === this.active ? board : old)), this.active);
  }

  /** @param {number} zoom 1 fits */
  zoomTo(zoom) {
    this.zoom = Math.max(1, Math.min(MOST_ZOOM, zoom));
    this.changed();
  }

  /** Let go of what belongs to a board. */
  forget() {
    this.pin = this.hover = null;
    if (this.view === "look" || this.view === "shift") this.view = "image";
    this.at = this.length;
    this.playing = false;
  }

  /** Take another board in hand. @param {number} active */
  choose(active) {
    if (active === this.active || !this.boards[active]) return;
    this.history.now = { ...this.history.now, active };
    this.pin = this.hover = null;
    this.changed();
  }

  /** Ask another model. What is on the stage stays, if that model paints such images. @param {string} id */
  useModel(id) {
    this.modelId = id;
    const { details } = this;
    if (!details) return;
    const { seed, count, temperature, top_p } = this.ask;
    this.ask = { ...plainAsk(), seed, count, temperature, top_p };
    if (this.ink.length !== details.image.channels || this.ink.some((level) => level >= details.image.levels))
      this.ink = Array.from({ length: details.image.channels }, () => details.image.levels - 1);
    const { board } = this;
    const boards = [blankBoard(id, details)];
    if (!board) this.history.now = { boards, active: 0 };
    else if (!sameGrid(board.details.image, details.image) || !holdsAnything(board)) this.show(boards);
    this.changed();
  }

  /** @param {Notice["kind"]} kind @param {string} text */
  note(kind, text) {
    this.notice = { kind, text };
    this.changed();
  }
}
