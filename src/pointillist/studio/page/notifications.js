// What is said to the user: while models load, and when something is wrong.

import { h, refill } from "./dom.js";
import { icon } from "./icons.js";

/** @typedef {import("./state.js").State} State */

export class Notices {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    this.text = h("p", { role: "alert" });
    this.notice = h("div", { className: "notice" }, this.text, closing(() => this.#close()));
    this.away = ""; // what was read and put away
    this.loading = h("div", { className: "loading", role: "status" });
    this.el = h("div", { className: "notices" }, this.loading, this.notice);
  }

  update() {
    const { state } = this;
    const { notice } = state;
    this.notice.hidden = notice === null;
    this.notice.dataset.kind = notice?.kind ?? "";
    if (this.text.textContent !== (notice?.text ?? "")) this.text.textContent = notice?.text ?? "";
    const waiting = state.models.filter((model) => model.state === "waiting" || model.state === "loading");
    const failed = state.models.filter((model) => model.state === "failed");
    const ready = state.models.some((model) => model.state === "ready");
    const key = JSON.stringify([waiting.map((model) => [model.name, model.step]), failed.map((model) => model.error), ready]);
    // while others work, the bar says what still loads, and what failed can be put away
    const lost = failed.map((model) => model.id).join();
    this.loading.hidden = ready && this.away === lost;
    const putAway = () => {
      this.away = lost;
      state.changed();
    };
    refill(this.loading, key, () => [
      ready ? closing(putAway) : "",
      ...failed.map((model) => h("p", { className: "failed" }, h("b", {}, model.name), ` could not be loaded. ${model.error ?? ""}`)),
      ...(ready ? [] : waiting.slice(0, 1)).map((model) =>
        h("p", {}, dots(), `${loadingText(model)} …`, h("small", {}, "The first start after an installation prepares the engine: a minute or less."))),
      !waiting.length && !failed.length && !ready ? h("p", {}, "Looking for models …") : "",
    ].filter((part) => part !== ""));
  }

  #close() {
    this.state.notice = null;
    this.state.changed();
  }
}

/** What is being done for a model. @param {Api.ModelInfo} model */
export const loadingText = (model) => `Loading ${model.name}${model.step ? `: ${model.step}` : ""}`;

/** @param {() => void} act */
const closing = (act) => h("button", { type: "button", className: "icon-only", "aria-label": "Close the message", onclick: act }, icon("close"));

/** Three dots that take turns. */
export const dots = () => h("i", { className: "dots" }, h("i", {}), h("i", {}), h("i", {}));
