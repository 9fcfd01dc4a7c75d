// The gallery as a page: a grid with names, filters, a search, and actions on several images.

import { isComplete, visibleImage } from "../canvas/canvas_model.js";
import { pictureOf } from "../canvas/draw_image.js";
import { button, html, setText, updateChildren } from "../shared/dom.js";

const MAX_COMPARED = 16; // canvases side by side

export class GalleryPage {
  /**
   * @param {State} state @param {import("../transport/export.js").Exporter} exporter @param {import("../widgets/dialogs.js").Dialogs} dialogs
   * @param {(act: () => unknown) => void} attempt runs an action, and shows what goes wrong
   */
  constructor(state, exporter, dialogs, attempt) {
    this.state = state;
    this.exporter = exporter;
    this.dialogs = dialogs;
    /** @type {Set<string>} ids of the chosen images */
    this.chosen = new Set();
    /** @type {WeakMap<Canvas, HTMLCanvasElement>} */
    this.pictures = new WeakMap();
    /** @type {WeakMap<Element, Canvas>} */
    this.canvases = new WeakMap();
    this.watcher = new IntersectionObserver((entries) => this.#draw(entries), { rootMargin: "200px" });
    const changed = () => this.update();
    this.search = html("input", { type: "text", placeholder: "Search names and prompts", "aria-label": "Search names and prompts", oninput: changed });
    this.model = html("select", { "aria-label": "Images of", onchange: changed });
    this.favourites = html("input", { type: "checkbox", onchange: changed });
    const action = (/** @type {string} */ name, /** @type {string} */ title, /** @type {(items: GalleryItem[]) => unknown} */ act) =>
      button(name, title, () => attempt(() => act(this.#targets)));
    this.count = html("small", { role: "status" });
    this.compare = action("Side by side", `The chosen images as canvases, at most ${MAX_COMPARED}`, (items) => this.#compare(items));
    this.deleteButton = action("Delete", "The chosen images", (items) => this.#delete(items));
    const actions = html("div", { className: "row", role: "group", "aria-label": "With the chosen images, or all that are shown" },
      action("Project", "All of it in one file, with names and settings: Open brings it back", (items) => exporter.project(items)), action("ZIP", "Exact pictures with their settings, and their names", (items) => exporter.zip(items)), action("Sheet", "One picture with names", (items) => exporter.sheet(items)),
      action("Atlas", "Exact pixels side by side, and their places", (items) => exporter.atlas(items)), this.compare, this.deleteButton);
    const close = html("button", { type: "button", className: "close", onclick: () => this.el.close() }, "Close");
    this.grid = html("ul", { className: "gallery-grid", "aria-label": "Images" });
    this.el = html("dialog", { className: "gallery-page", "aria-label": "Gallery" },
      html("div", { className: "row" }, html("h2", {}, "Gallery"), this.search, this.model, html("label", { className: "check" }, this.favourites, "favourites"), this.count, close), actions, this.grid);
  }

  open() {
    this.el.showModal();
    this.update();
  }

  /** Images that pass the filters. */
  get #shown() {
    const words = this.search.value.trim().toLowerCase();
    return this.state.gallery.filter(({ canvas, name, favourite }) =>
      (!words || `${name} ${canvas.conditions.text ?? ""}`.toLowerCase().includes(words)) && (!this.model.value || canvas.model === this.model.value) && (!this.favourites.checked || favourite));
  }

  /** The chosen images, or all that are shown. */
  get #targets() {
    const shown = this.#shown;
    const chosen = shown.filter((item) => this.chosen.has(item.id));
    return chosen.length ? chosen : shown;
  }

  update() {
    if (!this.el.open) return;
    const models = [...new Set(this.state.gallery.map(({ canvas }) => canvas.model))].sort();
    updateChildren(this.model, models.join(), () => [html("option", { value: "" }, "all models"), ...models.map((model) => html("option", { value: model }, model))]);
    const shown = this.#shown;
    const chosen = shown.filter((item) => this.chosen.has(item.id));
    setText(this.count, chosen.length ? `${chosen.length} of ${shown.length} chosen` : `${shown.length} of ${this.state.gallery.length}`);
    this.compare.disabled = chosen.length < 2 || chosen.length > MAX_COMPARED;
    this.deleteButton.disabled = !chosen.length;
    updateChildren(this.grid, shown.map((item) => [item.id, item.name, item.favourite, this.chosen.has(item.id)].join()).join(";"), () => shown.map((item) => this.#item(item)));
  }

  /** Return the picture of a canvas, which is drawn when it comes into view. @param {Canvas} canvas */
  #picture(canvas) {
    const known = this.pictures.get(canvas);
    if (known) return known;
    const picture = html("canvas", { width: canvas.width, height: canvas.height });
    this.pictures.set(canvas, picture);
    this.canvases.set(picture, canvas);
    this.watcher.observe(picture);
    return picture;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #draw(entries) {
    for (const { target, isIntersecting } of entries) {
      const canvas = isIntersecting && this.canvases.get(target);
      if (!canvas) continue;
      pictureOf(canvas, /** @type {HTMLCanvasElement} */ (target));
      this.watcher.unobserve(target);
    }
  }

  /** @param {GalleryItem} item */
  #item(item) {
    const { canvas, name, favourite, id } = item;
    const picture = this.#picture(canvas);
    const box = html("input", { type: "checkbox", checked: this.chosen.has(id), "aria-label": `Choose ${name}`, onchange: () => { if (box.checked) this.chosen.add(id); else this.chosen.delete(id); this.update(); } });
    const show = () => {
      this.el.close();
      this.exporter.painter.showAgain(canvas);
    };
    const text = `${favourite ? "★ " : ""}${name}${isComplete(visibleImage(canvas)) ? "" : " (unfinished)"}`;
    return html("li", {}, html("button", { type: "button", title: `${name}, ${canvas.model}`, "aria-label": `Show ${name}`, onclick: show }, picture), html("label", { className: "check" }, box, html("span", {}, text)));
  }

  /** @param {GalleryItem[]} items */
  #compare(items) {
    this.el.close();
    this.exporter.painter.keepDrawings();
    this.state.show(items.map(({ canvas, name }) => ({ ...canvas, caption: name })));
  }

  /** @param {GalleryItem[]} items */
  async #delete(items) {
    if (!(await this.dialogs.confirm(`Delete ${items.length} ${items.length === 1 ? "image" : "images"} from the gallery?`, "Delete"))) return;
    this.state.gallery = this.state.gallery.filter((item) => !items.includes(item));
    this.state.changed();
    this.update();
  }
}
