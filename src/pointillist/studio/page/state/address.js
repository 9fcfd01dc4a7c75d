// The address of the page: a link to its state. It changes with every painting, so that the back button goes back.

import { holdsAnything } from "../canvas/canvas_model.js";
import { readLink, writeLink } from "./link.js";
import { canvasOfLink, linkOfState, paletteOfLink, readOtherwise, requestOfLink, variationOfLink } from "./link_request.js";

export class Address {
  /** @param {State} state @param {Commands} commands */
  constructor(state, commands) {
    this.state = state;
    this.commands = commands;
    this.link = ""; // of the address, as this page wrote it
    this.modelId = ""; // of the address
    this.canvas = /** @type {Canvas | undefined} */ (undefined);
    this.opened = /** @type {Canvas | undefined} */ (undefined);
    this.pending = /** @type {import("./link.js").Link | null} */ (null);
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
    const model = this.#modelOf(pending);
    if (model && model.state !== "ready" && model.state !== "failed") return;
    this.pending = null;
    await this.#open(pending);
  }

  /** Follow a painting that is finished, or shown again, and the choice of a model: what is typed alone changes no address. */
  update() {
    const { state } = this;
    const { canvas } = state;
    state.remixed = this.opened !== undefined && canvas !== this.opened && !state.work && Boolean(canvas && holdsAnything(canvas));
    const painted = canvas !== this.canvas && Boolean(canvas?.trace?.painted);
    if (this.pending || !state.details || state.work || state.stroke || (!painted && state.modelId === this.modelId)) return;
    Object.assign(this, { canvas, modelId: state.modelId });
    const link = writeLink(painted ? linkOfState(state).link : { model: state.modelId });
    if (link === this.link) return;
    if (this.link) history.pushState(null, "", link);
    else history.replaceState(null, "", link);
    this.link = state.link = link;
  }

  /** Copy a link to what the page shows. */
  async copy() {
    const { state } = this;
    if (!state.details) return;
    const { link: shown, missing } = linkOfState(state), link = new URL(writeLink(shown), location.href).href, part = missing.join(" and ");
    const other = state.exported ? "" : readOtherwise(shown, state.details);
    try {
      await navigator.clipboard.writeText(link);
      if (part) state.notify("error", `The link is copied, but it does not hold ${part}: save the PNG, or the manifest.`);
      else state.notify(other ? "plain" : "good", `The link is copied. Whoever opens it with the same model sees the same picture${state.details.engine === "integer" ? ", to the bit" : ""}${other}.`);
    } catch {
      state.notify("plain", `The browser does not let this page copy. The link: ${link}`);
    }
  }

  async #back() {
    const link = readLink(location.hash);
    this.link = location.hash;
    if (link) await this.#open(link);
  }

  /** Return the model of a link; a place of an endless map without one is of the first model that has such maps, once all are loaded. @param {import("./link.js").Link} link */
  #modelOf({ model: name, game, world = game }) {
    const { models, model } = this.state;
    if (name) return models.find(({ id }) => id === name) ?? models.find((one) => one.name === name);
    if (world === undefined || model?.details?.endless) return model;
    return models.find(({ details }) => details?.endless) ?? models.find(({ state }) => state === "waiting" || state === "loading") ?? model;
  }

  /** @param {import("./link.js").Link} link */
  async #open(link) {
    const { state } = this;
    const model = this.#modelOf(link);
    if (!model?.details) return state.notify("error", `The link is to a painting of ${link.model}, which is not open here: start the studio with it.`);
    if (model.id !== state.modelId) state.useModel(model.id);
    if ((link.world ?? link.game) !== undefined && model.details.endless) return this.commands.worldPage.open(link);
    if (Object.keys(link).join() === "model" && model.details.generation.pictures.length) return this.commands.showExample();
    state.usePalette(paletteOfLink(link, state.ownDetails.get(model.id) ?? model.details));
    const details = state.details ?? model.details, request = (state.request = requestOfLink(link, details, state.request));
    state.panelSerial++;
    await this.#paint(link, canvasOfLink(link, model.id, details), variationOfLink(link, request, details));
    this.opened = state.canvas;
  }

  /** Paint what a link names. @param {import("./link.js").Link} link @param {Canvas | null} drawn @param {Api.Variation | null} variation */
  async #paint({ n = 1, index, compare, fill }, drawn, variation) {
    const { state, commands: { painter, filler } } = this, first = variation ? 1 : 0, single = n === 1 && !compare;
    if (!drawn || fill === "paint") {
      const active = single ? 0 : Math.max(0, (index ?? 0) - (compare ? 0 : first));
      return painter.paint({ start: drawn, variation, index: single ? (index ?? first) : first, active });
    }
    painter.keepDrawings();
    state.show([drawn]);
    if (fill) await filler.start({ method: /** @type {Api.FillRequest["method"]} */ (fill), number: index ?? 0 });
  }
}
