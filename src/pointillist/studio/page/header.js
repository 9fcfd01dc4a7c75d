// The top: name, models, theme, keys.

import { h, inFocus, refill, say, whole } from "./dom.js";
import { icon } from "./icons.js";
import { dots, loadingText } from "./notices.js";

/** @typedef {import("./state.js").State} State */

const THEMES = /** @type {const} */ ([["auto", "", "as around it"], ["sun", "light", "light"], ["moon", "dark", "dark"]]);

export class Bar {
  /** @param {State} state @param {HTMLElement} root @param {() => void} showKeys */
  constructor(state, root, showKeys) {
    this.state = state;
    this.root = root;
    this.theme = 0;
    this.select = h("select", { "aria-label": "Model", onchange: () => state.useModel(this.select.value) });
    this.about = h("span", { className: "about" });
    this.loading = h("span", { className: "still-loading", role: "status" });
    this.switch = h("button", { type: "button", className: "icon-only", onclick: () => this.#turn() });
    const keys = h("button", { type: "button", className: "icon-only", title: "Keys (?)", "aria-label": "Keys", onclick: showKeys }, icon("keys"));
    this.el = h("header", { className: "bar" }, h("h1", { className: "brand" }, h("i", {}), "pointillist", h("span", {}, " studio")), this.select, this.about, h("div", { className: "right" }, this.loading, this.switch, keys));
    this.#name();
  }

  update() {
    const { state } = this;
    const words = { waiting: " (waits)", loading: " (loading)", failed: " (failed)", ready: "" };
    const key = state.models.map((model) => model.id + model.state).join();
    refill(this.select, key, () => state.models.map((model) => h("option", { value: model.id, disabled: model.state !== "ready" }, model.name + words[model.state])));
    if (inFocus(this.select) !== this.select) this.select.value = state.modelId;
    const loading = state.models.find((model) => model.state === "loading");
    const behind = loading && state.details ? loadingText(loading) : "";
    refill(this.loading, behind, () => (behind ? [dots(), behind] : []));
    const { details } = state;
    const colours = details && (details.image.mode === "palette" ? `${details.image.levels} colours` : `${details.image.levels} levels`);
    say(this.about, details ? `${details.network} · ${details.image.width} × ${details.image.height} ${details.image.mode}, ${colours} · ${whole(details.parameters)} weights` : "");
  }

  #turn() {
    this.theme = (this.theme + 1) % THEMES.length;
    this.root.style.colorScheme = THEMES[this.theme][1];
    this.#name();
  }

  #name() {
    const [picture, , name] = THEMES[this.theme];
    this.switch.replaceChildren(icon(picture));
    this.switch.title = `Colours: ${name}`;
    this.switch.setAttribute("aria-label", `Colours: ${name}. Change`);
  }
}
