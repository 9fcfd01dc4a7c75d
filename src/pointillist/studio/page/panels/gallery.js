// The images of this browser, and buttons to save, name and delete them.

import { blankCanvas, isComplete, visibleImage } from "../canvas/canvas_model.js";
import { isDeep } from "../shared/colour.js";
import { button, html, isDark, numberOf, updateChildren } from "../shared/dom.js";
import { pictureOf } from "../canvas/draw_image.js";
import { iconButton } from "../widgets/icons.js";
import { GalleryPage } from "./gallery_page.js";

export class Gallery {
  /**
   * @param {State} state @param {import("../transport/export.js").Exporter} exporter
   * @param {import("../widgets/dialogs.js").Dialogs} dialogs @param {() => Promise<void> | undefined} clear deletes what the browser keeps
   */
  constructor(state, exporter, dialogs, clear) {
    this.state = state;
    this.exporter = exporter;
    this.dialogs = dialogs;
    this.clear = clear;
    const action = (/** @type {string} */ name, /** @type {string} */ title, /** @type {() => unknown} */ act) => button(name, title, () => state.attempt(act));
    const active = () => /** @type {Canvas} */ (state.canvas);
    this.exact = action("PNG", "", () => exporter.png(active(), 1));
    this.large = action("PNG large", "", () => exporter.png(active(), exporter.scale(active())));
    this.gif = action("GIF", "", () => exporter.gif(active(), isDark(this.el)));
    this.manifest = action("Manifest", "", () => exporter.manifest(active()));
    this.maps = [action("Map for Tiled", "", () => exporter.map(active(), "tmj")), action("Map as CSV", "", () => exporter.map(active(), "csv"))];
    for (const one of this.maps) one.classList.add("maps");
    const deleteAll = action("Delete everything …", "The gallery, the canvases and the settings that this browser keeps", () => this.#deleteAll());
    this.menu = html("details", { className: "menu" }, html("summary", {}, "More"), html("div", { className: "menu-items" }, ...this.maps, deleteAll));
    this.menu.addEventListener("click", (event) => { if (event.target instanceof HTMLButtonElement) this.menu.open = false; });
    const tool = (/** @type {import("../widgets/icons.js").Icon} */ name, /** @type {string} */ title, /** @type {(item: GalleryItem) => unknown} */ act) =>
      iconButton(name, title, () => { const item = this.#item; if (item) state.attempt(() => act(item)); });
    this.favourite = tool("star", "Favourite", (item) => this.#change(item, { favourite: !item.favourite }));
    this.tools = [
      this.favourite, tool("label", "Name", (item) => this.#name(item)),
      tool("reuse", "Use these settings", (item) => { if (!state.useSettings(item.canvas)) throw new Error(`It was made with ${item.canvas.model}, which is not open here: start the studio with it.`); }),
      tool("trash", "Delete", (item) => this.#delete(item)),
    ];
    this.actions = html("div", { className: "export-actions", role: "group", "aria-label": "Save the active canvas" }, html("h2", {}, "Save"), this.exact, this.large, this.gif, this.manifest, this.menu);
    this.itemTools = html("div", { className: "group item-tools", role: "group", "aria-label": "The shown image of the gallery" }, ...this.tools);
    this.list = html("ul", { className: "thumbnails", "aria-label": "Gallery" });
    this.page = new GalleryPage(state, exporter, dialogs, (act) => void state.attempt(act));
    this.all = button("Gallery", "The gallery as a page: search, filter, choose several", () => this.page.open());
    this.el = html("section", { className: "gallery", "aria-label": "Save" }, this.actions, this.itemTools, this.list, this.all, this.page.el);
    this.el.addEventListener("keydown", (event) => { // the menu closes with Esc, which would release a pixel, too
      if (event.key !== "Escape" || !this.menu.open) return;
      this.menu.open = false;
      event.stopPropagation();
      this.menu.querySelector("summary")?.focus();
    });
    document.addEventListener("pointerdown", (event) => { if (!event.composedPath().includes(this.menu)) this.menu.open = false; });
    /** @type {WeakMap<Canvas, {picture: HTMLCanvasElement, arrived: number}>} */
    this.pictures = new WeakMap();
  }

  update() {
    const { state } = this;
    const { picture, map, gif, manifest } = this.exporter.obstacles;
    const image = state.canvas?.details.image, tiles = image?.tiles, deep = image && isDeep(image);
    for (const one of this.maps) {
      one.hidden = image?.mode !== "codes" || deep === true;
      offer(one, map, "Every cell by its number, in a ZIP with the tileset");
    }
    offer(this.exact, picture, tiles ? "Every cell as its tile, with all settings in the file" : deep ? "Every pixel as it is, in 16 bits, with all settings in the file" : "Every pixel as it is, with all settings in the file");
    offer(this.large, picture, tiles ? "Every cell as its tile, enlarged" : "Every pixel as a square");
    offer(this.gif, gif, tiles ? "An animation of the painting, in the mean colours of the tiles" : deep ? "An animation of the painting in 256 greys" : "An animation of the painting");
    offer(this.manifest, manifest, "A small file from which the same image can be reproduced");
    this.all.hidden = state.gallery.length === 0 && state.mapEdits.size === 0;
    this.page.update();
    const item = this.#item;
    this.itemTools.hidden = !item;
    this.favourite.setAttribute("aria-pressed", String(item?.favourite ?? false));
    const shownCanvases = state.canvases;
    const key = [...state.gallery.map((item) => numberOf(item)), "/", ...state.gallery.map((item) => Number(shownCanvases.includes(item.canvas))), state.kept].join();
    const none = state.kept ? "Your paintings are collected here, and kept in this browser." : "Your paintings are collected here until you close the page.";
    updateChildren(this.list, key, () => (state.gallery.length ? state.gallery.map((item) => this.#thumbnail(item)) : [html("li", { className: "none" }, none)]));
  }

  /** The image of the gallery that is the active canvas. */
  get #item() {
    return this.state.gallery.find((item) => item.canvas === this.state.canvas);
  }

  /** @param {GalleryItem} item @param {Partial<GalleryItem>} change */
  #change(item, change) {
    this.state.gallery = this.state.gallery.map((one) => (one === item ? { ...item, ...change } : one));
    this.state.changed();
  }

  /** @param {GalleryItem} item */
  async #name(item) {
    const name = await this.dialogs.askName(item.name);
    if (name) this.#change(item, { name });
  }

  /** @param {GalleryItem} item */
  async #delete(item) {
    if (!(await this.dialogs.confirm(`Delete ${/^“.*”$/.test(item.name) ? item.name : `“${item.name}”`} from the gallery?`, "Delete"))) return;
    this.state.gallery = this.state.gallery.filter((one) => one !== item);
    this.state.changed();
  }

  async #deleteAll() {
    const { state } = this;
    const count = state.gallery.length;
    if (!(await this.dialogs.confirm(`Delete ${count} ${count === 1 ? "image" : "images"}, all canvases and settings from this browser?`, "Delete everything"))) return;
    await this.clear();
    Object.assign(state, { gallery: [], mapEdits: new Map() });
    if (state.details) state.forget([blankCanvas(state.modelId, state.details)]);
  }

  /** Return the picture of a canvas, drawn once for as many pixels as it has. @param {Canvas} canvas */
  #picture(canvas) {
    const arrived = canvas.trace?.arrived ?? 0, known = this.pictures.get(canvas);
    if (known?.arrived === arrived) return known.picture;
    const picture = pictureOf(canvas);
    this.pictures.set(canvas, { picture, arrived });
    return picture;
  }

  /** @param {GalleryItem} item */
  #thumbnail(item) {
    const { canvas, name } = item;
    const thumbnail = this.#picture(canvas);
    const bits = canvas.trace?.painted ? `, ${canvas.trace.painted.bits.toFixed(1)} bits` : "";
    const text = `${name}${bits}`;
    const visible = this.state.canvases.includes(canvas);
    const show = () => this.exporter.painter.showAgain(canvas);
    return html("li", { className: [item.favourite && "favourite", !isComplete(visibleImage(canvas)) && "drawing"].filter(Boolean).join(" ") }, html("button", { type: "button", title: text, "aria-label": `Show again: ${text}${item.favourite ? ", favourite" : ""}`, "aria-pressed": visible, onclick: show }, thumbnail));
  }
}

/** Enable a button, or say why it cannot be used. @param {HTMLButtonElement} el @param {string | null} obstacle @param {string} title */
function offer(el, obstacle, title) {
  el.disabled = obstacle !== null;
  el.title = obstacle ?? title;
}
