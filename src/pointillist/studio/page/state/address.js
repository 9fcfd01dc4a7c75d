// The address of the page: a link to its state. It changes with every painting, so that the back button goes back.

import { readLink, writeLink } from "./link.js";
import { linkOfRequest, requestOfLink } from "./link_request.js";

/** @typedef {import("./state.js").State} State */

export class Address {
  /** @param {State} state @param {() => Promise<void>} paint @param {AbortSignal} over */
  constructor(state, paint, over) {
    this.state = state;
    this.paint = paint;
    this.link = ""; // of the address, as this page wrote it
    /** @type {import("../canvas/canvas_model.js").Canvas | undefined} */
    this.canvas = undefined;
    /** @type {import("./link.js").Link | null} with which the page was opened */
    this.pending = null;
    window.addEventListener("popstate", () => void this.#back(), { signal: over });
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
    if (this.pending || !state.details || state.work || state.stroke || canvas === this.canvas || !canvas?.trace?.painted || canvas.filled) return;
    this.canvas = canvas;
    const link = this.#write();
    if (link === this.link) return;
    if (this.link) history.pushState(null, "", link);
    else history.replaceState(null, "", link);
    this.link = state.link = link;
  }

  /** Copy a link to what the page shows. */
  async copy() {
    const { state } = this;
    if (!state.details) return;
    const link = new URL(this.#write(), location.href).href;
    try {
      await navigator.clipboard.writeText(link);
      state.notify("good", "The link is copied. Whoever opens it with the same models sees the same painting.");
    } catch {
      state.notify("plain", `The browser does not let this page copy. The link: ${link}`);
    }
  }

  #write() {
    const { request, modelId, details, canvas } = this.state;
    return details ? writeLink(linkOfRequest(request, modelId, details, canvas)) : "";
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
    state.request = requestOfLink(link, model.details, state.request);
    state.panelSerial++;
    await this.paint();
  }
}
