// The address of the page follows the prompt panel, and the prompt panel the address; `link.js` says how links are written.

import { decodeLevels, encodeArray } from "../transport/encoded_arrays.js";
import { COUNTS } from "./request.js";
import { packLevels, readLink, unpackLevels, writeLink } from "./link.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./request.js").Request} Request */

/** Write the prompt panel as a link, with the seed of what is shown. @param {State} state */
export function linkOf({ request, details, model, canvas }) {
  if (!details || !model) return "";
  const { labels, attributes, hint } = details.conditions, seed = request.seed ?? canvas?.rng?.seed;
  const named = Object.entries(request.attributes).map(([name, value]) => [name, attributes[name]?.[value] ?? ""]);
  const levels = hint?.image && request.hint ? packLevels(decodeLevels(request.hint.levels), hint.image.levels) : undefined;
  const { guidance, temperature, top_p, count: n } = request;
  return writeLink({
    model: model.id, text: request.text.trim(), label: request.label === null ? "" : labels[request.label], attributes: Object.fromEntries(named),
    seed, n, guidance, temperature, top_p, order: request.order ?? "", size: request.size ?? undefined, hint: levels,
  });
}

/** Values of the prompt panel that a link names, as far as the model takes them. @param {string} hash @param {Api.ModelDetails} details @returns {Partial<Request>} */
export function requestOfLink(hash, details) {
  const link = readLink(hash), { labels, attributes, hint } = details.conditions;
  if (!link) return {};
  const { seed, guidance, temperature, top_p } = link, numbers = Object.entries({ seed, guidance, temperature, top_p }).filter(([, value]) => value !== undefined);
  const named = Object.entries(attributes).map(([name, values]) => /** @type {const} */ ([name, values.indexOf(link.attributes?.[name] ?? "")]));
  const label = labels.indexOf(link.label ?? ""), image = hint?.image, size = details.fixed_size ? undefined : link.size;
  const shape = image ? [image.channels, image.height, image.width] : [], count = shape.reduce((a, b) => a * b, 1);
  const levels = image && link.hint ? unpackLevels(link.hint, image.levels, count) : null;
  return {
    ...Object.fromEntries(numbers), text: link.text ?? "", label: label < 0 ? null : label, attributes: Object.fromEntries(named.filter(([, value]) => value >= 0)),
    order: link.order && details.orders.includes(link.order) ? link.order : null, count: COUNTS.includes(link.n ?? 1) ? link.n ?? 1 : 1,
    ...(size ? { size } : null), ...(levels ? { hint: { levels: encodeArray(Uint8Array.from(levels), shape), name: "of the link" } } : null),
  };
}

export class Address {
  #text = "";
  #begun = false;

  /** @param {State} state @param {import("../transport/painter.js").Painter} painter @param {AbortSignal} over */
  constructor(state, painter, over) {
    this.state = state;
    this.painter = painter;
    window.addEventListener("hashchange", () => this.#follow(), { signal: over });
  }

  /** Ask for the model that the address names. */
  restore() {
    const model = readLink(location.hash)?.model;
    if (model) this.state.wanted = model;
  }

  update() {
    const { state } = this;
    if (!state.details) return;
    if (!this.#begun) {
      this.#begun = true;
      this.#take(state.details);
    }
    if (state.work) return;
    const text = linkOf(state);
    if (text === this.#text) return;
    this.#text = text;
    history.replaceState(history.state, "", text);
  }

  /** Take over an address that was typed, or that the back button returned to. */
  #follow() {
    const { state } = this, model = readLink(location.hash)?.model;
    if (location.hash === this.#text) return;
    if (model !== state.modelId && state.models.some((one) => one.id === model && one.state === "ready")) state.useModel(/** @type {string} */ (model));
    if (state.details) this.#take(state.details);
  }

  /** Take over the address, and paint. @param {Api.ModelDetails} details */
  #take(details) {
    const { state } = this;
    state.request = { ...state.request, ...requestOfLink(location.hash, details) };
    state.panelSerial++;
    void this.painter.paint();
    state.changed();
  }
}
