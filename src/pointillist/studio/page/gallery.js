// The images of this session, and buttons to save them.

import { visibleImage } from "./canvas_model.js";
import { html, isDark, updateChildren } from "./dom.js";
import { drawImage } from "./draw_image.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").GalleryItem} GalleryItem */

export class Gallery {
  /** @param {State} state @param {import("./export.js").Exporter} exporter @param {import("./upload.js").Uploader} uploader */
  constructor(state, exporter, uploader) {
    this.state = state;
    this.exporter = exporter;
    const action = (/** @type {string} */ name, /** @type {string} */ title, /** @type {() => unknown} */ act) => html("button", { type: "button", title, onclick: () => this.#try(act) }, name);
    const active = () => /** @type {import("./canvas_model.js").Canvas} */ (state.canvas);
    this.exact = action("PNG", "Every pixel as it is", () => exporter.png(active(), 1));
    this.large = action("PNG large", "Every pixel as a square", () => exporter.png(active(), exporter.scale(active())));
    this.gif = action("GIF", "An animation of the painting", () => exporter.gif(active(), isDark(this.el)));
    this.manifest = action("Manifest", "A small file from which the same image can be reproduced", () => exporter.manifest(active()));
    const again = action("Open a manifest", "Paint the image of a manifest again, and compare", () => uploader.choose());
    this.actions = html("div", { className: "export-actions", role: "group", "aria-label": "Save the active canvas" }, html("h2", {}, "Save"), this.exact, this.large, this.gif, this.manifest, again);
    this.list = html("ul", { className: "thumbnails", "aria-label": "Painted in this session" });
    this.el = html("section", { className: "gallery", "aria-label": "Save" }, this.actions, this.list);
    this.serial = new WeakMap();
    this.count = 0;
  }

  update() {
    const { state } = this;
    const { picture, gif, manifest } = this.exporter.available;
    this.exact.disabled = this.large.disabled = !picture;
    this.gif.disabled = !gif;
    this.manifest.disabled = !manifest;
    const shownCanvases = state.canvases;
    const key = [...state.gallery.map((item) => this.#number(item)), "/", ...state.gallery.map((item) => Number(shownCanvases.includes(item.canvas)))].join();
    updateChildren(this.list, key, () => (state.gallery.length ? state.gallery.map((item) => this.#item(item)) : [html("li", { className: "none" }, "Your paintings are collected here until you close the page.")]));
  }

  /** @param {GalleryItem} item */
  #number(item) {
    if (!this.serial.has(item)) this.serial.set(item, ++this.count);
    return this.serial.get(item);
  }

  /** @param {GalleryItem} item */
  #item(item) {
    const { canvas, name } = item;
    const thumbnail = html("canvas", {});
    drawImage(thumbnail, canvas.details.image, visibleImage(canvas), canvas.height, canvas.width);
    const bits = canvas.trace?.painted ? `, ${canvas.trace.painted.bits.toFixed(1)} bits` : "";
    const text = `${name}${bits}`;
    const visible = this.state.canvases.includes(canvas);
    return html("li", {}, html("button", { type: "button", title: text, "aria-label": `Show again: ${text}`, "aria-pressed": visible, onclick: () => this.state.show([canvas]) }, thumbnail));
  }

  /** @param {() => unknown} act */
  async #try(act) {
    try {
      await act();
    } catch (error) {
      this.state.notify("error", error instanceof Error ? error.message : String(error));
    }
  }
}
