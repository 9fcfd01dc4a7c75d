// Keeps the work, the gallery and the settings in this browser, and brings them back after a reload.

import { PaintingTrace } from "../canvas/painting_trace.js";
import { Storage } from "./storage.js";

const STEPS = 40; // of undo that are kept
const DELAY = 400; // milliseconds from a change until it is kept
const TABS = 8; // whose work is kept: of each its own, so that none takes the place of the others

/** The settings that are kept. */
const KEPT = /** @type {const} */ (["modelId", "request", "tool", "brush", "mirror", "filled", "grid", "chosenSpeed", "strength", "fillMethod", "singleKeys", "ghosts", "paintWhileDrawing", "link", "cardClosed"]);

/** Name this tab, as before a reload where the browser lets the page remember. */
function tabName() {
  const name = `${Math.random()}`;
  try {
    return (sessionStorage["pointillist-tab"] ??= name);
  } catch {
    return name; // in a sandboxed frame
  }
}

export class Keeper {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    /** @type {Storage | null} */
    this.storage = null;
    /** @type {Map<string, GalleryItem>} images as they are kept */
    this.items = new Map();
    /** @type {unknown[]} what was kept last: workspace, gallery, number of drafts */
    this.work = [];
    this.settings = "";
    /** @type {import("./map_edits.js").MapEdits | null} as they are kept */
    this.mapEdits = null;
    this.timer = 0;
    this.tab = tabName();
    this.busy = this.waiting = false; // whether something is written, and whether more is to be written after it
    const flush = () => void this.save();
    document.addEventListener("visibilitychange", flush);
    window.addEventListener("beforeunload", (event) => {
      if (!this.storage && (state.gallery.length || state.history.past.length)) event.preventDefault();
    });
  }

  /** Bring back what was kept, before the first model is ready. */
  async restore() {
    const { state } = this;
    this.storage = await Storage.open();
    if (!this.storage) return void (state.kept = false);
    state.kept = true;
    await this.#enter(this.storage);
    const [settings, work, items, edits] = await Promise.all([this.#get("settings"), this.#get("work"), this.storage.items(), this.#get("map edits")]);
    try {
      state.gallery = items.sort((a, b) => (a.id < b.id ? 1 : -1)).map((item) => ({ ...item, canvas: unpack(item.canvas) }));
      this.items = new Map(state.gallery.map((item) => [item.id, item]));
      state.mapEdits = this.mapEdits = new Map(edits ?? []);
      if (work) this.#unpack(work);
      if (settings) {
        const { modelId, ...rest } = settings;
        Object.assign(state, rest, { wanted: modelId, chosenSpeed: rest.chosenSpeed === null ? null : Number(rest.chosenSpeed) });
        state.restoredRequest = settings.request;
      }
    } catch (error) {
      console.error(error); // of another version: it stays where it is
    }
    state.at = state.arrived;
    state.changed();
  }

  update() {
    if (!this.storage || this.timer || this.state.work || this.state.stroke) return;
    this.timer = window.setTimeout(() => this.save(), DELAY);
  }

  /** Keep what has changed. */
  async save() {
    clearTimeout(this.timer);
    this.timer = 0;
    const { state, storage } = this;
    if (!storage || state.work || !state.modelId) return;
    if (this.busy) return void (this.waiting = true);
    this.busy = true;
    try {
      const settings = Object.fromEntries(KEPT.map((name) => [name, state[name]]));
      const text = JSON.stringify(settings, (_, value) => (value === Infinity ? "Infinity" : value)); // a speed
      if (text !== this.settings) await this.#set("settings", JSON.parse((this.settings = text)));
      const now = new Set(state.gallery.map((item) => item.id));
      for (const item of state.gallery)
        if (this.items.get(item.id) !== item) {
          await storage.put(/** @type {any} */ ({ ...item, canvas: pack(item.canvas) }));
          this.items.set(item.id, item);
        }
      for (const id of [...this.items.keys()])
        if (!now.has(id)) {
          await storage.delete(id);
          this.items.delete(id);
        }
      if (state.mapEdits !== this.mapEdits) await this.#set("map edits", [...(this.mapEdits = state.mapEdits)]);
      const { history, drafts, gallery } = state;
      const work = [history.now, gallery, drafts.size];
      if (work.some((part, i) => part !== this.work[i])) {
        this.work = work;
        await this.#set("work", this.#pack());
      }
    } catch {
      state.kept = false;
      state.notify("error", "This browser has no room left, so new work is not kept: save your images as files.");
    }
    this.busy = false;
    if (!this.waiting) return;
    this.waiting = false;
    await this.save();
  }

  /** Enter this tab among those whose work is kept, and forget the oldest. @param {Storage} storage */
  async #enter(storage) {
    const others = ((await storage.get("tabs")) ?? []).filter((/** @type {string} */ one) => one !== this.tab), kept = [this.tab, ...others].slice(0, TABS);
    await storage.set("tabs", kept);
    for (const old of others.slice(TABS - 1)) for (const name of ["settings", "work", "map edits"]) await storage.set(`${name} ${old}`, null);
  }

  /** Return what this tab kept, or what another one did last. @param {string} name */
  async #get(name) {
    return (await this.storage?.get(`${name} ${this.tab}`)) ?? this.storage?.get(name);
  }

  /** @param {string} name @param {unknown} value */
  async #set(name, value) {
    for (const key of [name, `${name} ${this.tab}`]) await this.storage?.set(key, value);
  }

  /** Convert undo, canvases and drafts to plain values; canvases of the gallery are kept there, others once. */
  #pack() {
    const { history, drafts, gallery } = this.state;
    const items = new Map(gallery.map((item) => [item.canvas, item.id]));
    /** @type {Map<Canvas, object>} */
    const packed = new Map();
    const packOnce = (/** @type {Canvas} */ canvas) => {
      const id = items.get(canvas);
      if (!packed.has(canvas)) packed.set(canvas, id ? { item: id } : pack(canvas));
      return packed.get(canvas);
    };
    const packAll = (/** @type {Workspace} */ workspace) => ({ ...workspace, canvases: workspace.canvases.map(packOnce) });
    return {
      past: history.past.slice(-STEPS).map(packAll), now: packAll(history.now), future: history.future.slice(-STEPS).map(packAll),
      drafts: [...drafts].map(([id, { request, workspace }]) => [id, { request, workspace: packAll(workspace) }]),
    };
  }

  /** @param {any} work as it was packed */
  #unpack({ past, now, future, drafts }) {
    const { history } = this.state;
    /** @type {Map<any, Canvas | undefined>} */
    const canvases = new Map();
    const unpackOnce = (/** @type {any} */ packed) => {
      if (!canvases.has(packed)) canvases.set(packed, packed.item ? this.items.get(packed.item)?.canvas : unpack(packed));
      return canvases.get(packed);
    };
    const unpackAll = (/** @type {any} */ workspace) => ({ ...workspace, canvases: workspace.canvases.map(unpackOnce) });
    const isWhole = (/** @type {Workspace} */ { canvases }) => canvases.length > 0 && !canvases.includes(/** @type {any} */ (undefined)); // none of them was deleted
    const present = unpackAll(now);
    if (!isWhole(present)) return;
    Object.assign(history, { past: past.map(unpackAll).filter(isWhole), now: present, future: future.map(unpackAll).filter(isWhole) });
    for (const [id, { request, workspace }] of drafts) {
      const whole = unpackAll(workspace);
      if (isWhole(whole)) this.state.drafts.set(id, { request, workspace: whole });
    }
  }

  /** Delete everything that is kept. */
  async clear() {
    this.items.clear();
    this.settings = "";
    this.mapEdits = null;
    this.work = [];
    await this.storage?.clear();
  }
}

/** Convert a canvas to plain values. @param {Canvas} canvas */
const pack = (canvas) => ({ ...canvas, trace: canvas.trace?.pack() ?? null });

/** @param {any} packed @returns {Canvas} */
const unpack = (packed) => ({ ...packed, trace: packed.trace && PaintingTrace.unpack(packed.details.image, packed.trace) });
