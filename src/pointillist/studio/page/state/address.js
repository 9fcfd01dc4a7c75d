// The address of the page: a link to its state. It changes with every painting, so that the back button goes back.

import { holdsAnything } from "../canvas/canvas_model.js";
import { readLink, writeLink } from "./link.js";
import { canvasOfLink, linkOfState, paletteOfLink, requestOfLink, variationOfLink } from "./link_request.js";

export class Address {
  /** @param {State} state @param {import("../transport/painter.js").Painter} painter @param {import("../transport/filler.js").Filler} filler @param {import("../panels/world_page.js").WorldPage} worldPage */
  constructor(state, painter, filler, worldPage) {
    this.state = state;
    this.painter = painter;
    this.filler = filler;
    this.worldPage = worldPage;
    this.link = ""; // of the address, as this page wrote it
    /** @type {Canvas | undefined} */
    this.canvas = undefined;
    /** @type {Canvas | undefined} the picture of the link with which the page was opened */
    this.opened = undefined;
    /** @type {import("./link.js").Link | null} with which the page was opened */
    this.pending = null;
    window.addEventListener("popstate", () => void this.#back());
  }

  /** Take the link with which the page was opened, unless this browser keeps its work. */
  begin() {
    const { state } = this;
    const link = location.hash === state.link ? null : readLink(location.hash);
    this.link = location.hash;
    this.pending = link;
    if (link?.model) state.wanted = link.model;
    if (link) state.restoredRequest = null;
    return link !== null;
  }

  /** Open the pending link, once its model is ready; say so where it is not in this studio. */
  async settle() {
    const { state, pending } = this;
    if (!pending || !state.details) return;
    const model = pending.model ? this.#find(pending.model) : state.model;
    if (model && model.state !== "ready" && model.state !== "failed") return;
    this.pending = null;
    await this.#open(pending);
  }

  /** Follow a painting that is finished, or shown again: what is typed alone changes no address. */
  update() {
    const { state } = this;
    const { canvas } = state;
    state.remixed = this.opened !== undefined && canvas !== this.opened && !state.work && Boolean(canvas && holdsAnything(canvas));
    if (this.pending || !state.details || state.work || state.stroke || canvas === this.canvas || !canvas?.trace?.painted) return;
    this.canvas = canvas;
    const link = writeLink(linkOfState(state).link);
    if (link === this.link) return;
    if (this.link) history.pushState(null, "", link);
    else history.replaceState(null, "", link);
    this.link = state.link = link;
  }

  /** Copy a link to what the page shows. */
  async copy() {
    const { state } = this;
    if (!state.details) return;
    const { link: shown, missing } = linkOfState(state), link = new URL(writeLink(shown), location.href).href;
    const part = missing.join(" and ");
    try {
      await navigator.clipboard.writeText(link);
      if (part) state.notify("error", `The link is copied, but it does not hold ${part}: save the PNG, or the manifest.`);
      else state.notify("good", "The link is copied. Whoever opens it with the same model sees the same picture, to the bit.");
    } catch {
      state.notify("plain", `The browser does not let this page copy. The link: ${link}`);
    }
  }

  async #back() {
    const link = readLink(location.hash);
    this.link = location.hash;
    if (link) await this.#open(link);
  }

  /** @param {string} name */
  #find(name) {
    return this.state.models.find((model) => model.id === name) ?? this.state.models.find((model) => model.name === name);
  }

  /** @param {import("./link.js").Link} link */
  async #open(link) {
    const { state } = this;
    const model = link.model ? this.#find(link.model) : state.model;
    if (!model?.details) return state.notify("error", `The link is to a painting of ${link.model}, which is not open here: start the studio with it.`);
    if (model.id !== state.modelId) state.useModel(model.id);
    if (link.world !== undefined && model.details.endless) return this.worldPage.open(link);
    state.usePalette(paletteOfLink(link, state.ownDetails.get(model.id) ?? model.details));
    const details = state.details ?? model.details, request = (state.request = requestOfLink(link, details, state.request));
    state.panelSerial++;
    await this.#paint(link, canvasOfLink(link, model.id, details), variationOfLink(link, request, details));
    this.opened = state.canvas;
  }

  /** Paint what a link names. @param {import("./link.js").Link} link @param {Canvas | null} drawn @param {Api.Variation | null} variation */
  async #paint({ n = 1, index, compare, fill }, drawn, variation) {
    const { state, painter } = this, first = variation ? 1 : 0, single = n === 1 && !compare;
    if (!drawn || fill === "paint") {
      const active = single ? 0 : Math.max(0, (index ?? 0) - (compare ? 0 : first));
      return painter.paint({ start: drawn, variation, index: single ? (index ?? first) : first, active });
    }
    painter.keepDrawings();
    state.show([drawn]);
    if (fill) await this.filler.start({ method: /** @type {Api.FillRequest["method"]} */ (fill), number: index ?? 0 });
  }
}
