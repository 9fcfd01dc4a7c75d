// Keeps the work, the gallery and the settings in this browser, and brings them back after a reload.

import { PaintingTrace } from "../canvas/painting_trace.js";
import { Storage } from "./storage.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").GalleryItem} GalleryItem */
/** @typedef {import("../canvas/canvas_model.js").Canvas} Canvas */

const DELAY = 400; // milliseconds from a change until it is kept

/** The settings that are kept. */
const KEPT = /** @type {const} */ (["modelId", "request", "tool", "brush", "mirror", "filled", "grid", "chosenSpeed", "strength", "fillMethod", "singleKeys", "tourSeen", "paintWhileDrawing", "inkOnPaper"]);

export class Keeper {
  /** @param {State} state @param {AbortSignal} over */
  constructor(state, over) {
    this.state = state;
    /** @type {Storage | null} */
    this.storage = null;
    /** @type {Map<string, GalleryItem>} images as they are kept */
    this.items = new Map();
    /** @type {unknown} */
    this.workspace = null;
    this.settings = "";
    this.timer = 0;
    this.busy = false;
    const flush = () => void this.save();
    document.addEventListener("visibilitychange", flush, { signal: over });
    window.addEventListener("beforeunload", (event) => {
      if (!this.storage && (state.gallery.length || state.history.past.length)) event.preventDefault();
    }, { signal: over });
  }

  /** Bring back what was kept, before the first model is ready. */
  async restore() {
    const { state } = this;
    this.storage = await Storage.open();
    if (!this.storage) return void (state.kept = false);
    state.kept = true;
    const [settings, workspace, items] = await Promise.all([this.storage.get("settings"), this.storage.get("workspace"), this.storage.items()]);
    try {
      state.gallery = items.sort((a, b) => (a.id < b.id ? 1 : -1)).map((item) => ({ ...item, canvas: unpack(item.canvas) }));
      this.items = new Map(state.gallery.map((item) => [item.id, item]));
      if (workspace?.canvases.length) state.history.now = { canvases: workspace.canvases.map((/** @type {any} */ packed, /** @type {number} */ i) => this.items.get(workspace.items?.[i] ?? "")?.canvas ?? unpack(packed)), active: workspace.active };
      if (settings) {
        const { modelId, ...rest } = settings;
        Object.assign(state, rest, { wanted: modelId });
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
    if (!storage || this.busy || state.work || !state.modelId) return;
    this.busy = true;
    try {
      const settings = Object.fromEntries(KEPT.map((name) => [name, state[name]]));
      const text = JSON.stringify(settings);
      if (text !== this.settings) await storage.set("settings", JSON.parse((this.settings = text)));
      if (state.history.now !== this.workspace) {
        this.workspace = state.history.now;
        const items = state.canvases.map((canvas) => state.gallery.find((item) => item.canvas === canvas)?.id ?? null);
        await storage.set("workspace", { canvases: state.canvases.map(pack), items, active: state.active });
      }
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
    } catch {
      state.kept = false;
      state.notify("error", "This browser has no room left, so new work is not kept: save your images as files.");
    } finally {
      this.busy = false;
    }
  }

  /** Delete everything that is kept. */
  async clear() {
    this.items.clear();
    this.settings = "";
    await this.storage?.clear();
  }
}

/** Convert a canvas to plain values. @param {Canvas} canvas */
const pack = (canvas) => ({ ...canvas, trace: canvas.trace?.pack() ?? null });

/** @param {any} packed @returns {Canvas} */
const unpack = (packed) => ({ ...packed, trace: packed.trace && PaintingTrace.unpack(packed.details.image, packed.trace) });
