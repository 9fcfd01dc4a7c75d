// The header: name, models, colour scheme, list of keys.

import { isDeep } from "../shared/colour.js";
import { html, updateChildren, setText, formatInteger } from "../shared/dom.js";
import { icon } from "./icons.js";
import { dots, loadingText } from "./notifications.js";

const THEMES = /** @type {const} */ ([["auto", "", "automatic"], ["sun", "light", "light"], ["moon", "dark", "dark"]]);

/** Say what a model paints, and by what. @param {Api.ModelDetails} details */
function describeModel({ image, conditions: { text, hint, labels }, endless, generation }) {
  const { width, height, mode, levels } = image;
  const what = isDeep(image) ? `pictures in ${formatInteger(levels)} greys` : { grey: "pictures in grey", rgb: "pictures in colour", rgba: "pictures in colour, with transparency", palette: `pictures in ${levels} colours`, codes: "maps" }[mode];
  const by = [text && "by name", hint && `from ${hint.derive === "outline" ? "an outline" : "a hint"}`].filter(Boolean).join(" and ");
  const styles = labels.length > 1 ? `, ${by ? "in " : "by "}${labels.length} ${by ? "styles" : "labels"}` : "";
  if (generation.pictures.length) return `${what.replace("pictures", isDeep(image) ? "scans" : "photographs")}: their bits, and holes to fill`; // of any size
  return `${width} × ${height} ${what}${by && ` ${by}`}${styles}${endless ? ", endless if you like" : ""}`;
}

export class Header {
  /** @param {State} state @param {HTMLElement} root @param {(id: string) => void} useModel @param {() => void} showKeys @param {(() => void) | null} copyLink null if the address does not belong to the studio */
  constructor(state, root, useModel, showKeys, copyLink) {
    this.state = state;
    this.root = root;
    this.theme = 0;
    this.select = html("select", { "aria-label": "Model", onchange: () => useModel(this.select.value) });
    this.about = html("span", { className: "about" });
    this.loading = html("span", { className: "still-loading", role: "status" });
    this.switch = html("button", { type: "button", className: "icon-only", onclick: () => this.#switchTheme() });
    this.link = html("button", { type: "button", title: "Copy a link to this picture: whoever opens it sees the same pixels", onclick: copyLink ?? (() => {}) }, "Link");
    const keys = html("button", { type: "button", className: "icon-only", title: "Keys (?)", "aria-label": "Keys", onclick: showKeys }, icon("keys"));
    this.el = html("header", { className: "header" }, html("h1", { className: "brand" }, html("i", {}), "pointillist", html("span", {}, " studio")), this.select, this.about, html("div", { className: "right" }, this.loading, copyLink && this.link, this.switch, keys));
    this.#showTheme();
  }

  update() {
    const { state } = this;
    const words = { waiting: " (waiting)", loading: " (loading)", failed: " (failed)", ready: "" };
    const key = state.models.map((model) => model.id + model.state).join();
    updateChildren(this.select, key, () => state.models.map((model) => html("option", { value: model.id, disabled: model.state !== "ready" }, model.name + words[model.state])));
    if (document.activeElement !== this.select) this.select.value = state.modelId;
    const loading = state.models.find((model) => model.state === "loading");
    const behind = loading && state.details ? loadingText(loading) : "";
    updateChildren(this.loading, behind, () => (behind ? [dots(), behind] : []));
    setText(this.link, state.remixed ? "Link to remix" : "Link");
    const { details } = state;
    const colours = details && (details.image.mode === "palette" ? `${details.image.levels} colours` : `${details.image.levels} levels`);
    setText(this.about, details ? describeModel(details) : "");
    this.about.title = details ? `${details.network} · ${details.image.width} × ${details.image.height} ${details.image.mode}, ${colours} · ${formatInteger(details.parameters)} weights` : "";
  }

  #switchTheme() {
    this.theme = (this.theme + 1) % THEMES.length;
    this.root.style.colorScheme = THEMES[this.theme][1];
    this.#showTheme();
  }

  #showTheme() {
    const [picture, , name] = THEMES[this.theme];
    this.switch.replaceChildren(icon(picture));
    this.switch.title = `Colours: ${name}`;
    this.switch.setAttribute("aria-label", `Colours: ${name}. Change`);
  }
}
