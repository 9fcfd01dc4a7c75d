// Messages to the user: while models load, and if something is wrong.

import { html, updateChildren } from "../shared/dom.js";
import { icon } from "./icons.js";

export class Notifications {
  /** @param {State} state @param {Element} begin shown until models are known */
  constructor(state, begin) {
    this.state = state;
    this.begin = begin;
    this.text = html("p", { role: "alert" });
    this.el = html("div", { className: "notice" }, this.text, closeButton(() => { state.notice = null; state.changed(); }));
    this.closedFor = ""; // ids of failed models whose message was closed
    this.loading = html("div", { className: "loading", role: "status" }); // on the stage, which is empty meanwhile
  }

  update() {
    const { state } = this;
    const { notice } = state;
    this.el.hidden = notice === null;
    this.el.dataset.kind = notice?.kind ?? "";
    if (this.text.textContent !== (notice?.text ?? "")) this.text.textContent = notice?.text ?? "";
    const waiting = state.models.filter((model) => model.state === "waiting" || model.state === "loading");
    const failed = state.models.filter((model) => model.state === "failed");
    const ready = state.models.some((model) => model.state === "ready");
    const key = JSON.stringify([waiting.map((model) => [model.name, model.step]), failed.map((model) => model.error), ready]);
    // once a model is ready, the header shows loading, and messages of failed models can be closed
    const failedIds = failed.map((model) => model.id).join();
    this.loading.hidden = ready && this.closedFor === failedIds;
    const close = () => {
      this.closedFor = failedIds;
      state.changed();
    };
    updateChildren(this.loading, key, () => [
      ready ? closeButton(close) : "",
      ...failed.map((model) => html("p", { className: "failed" }, html("b", {}, model.name), ` could not be loaded. ${model.error ?? ""}`)),
      ...(ready ? [] : waiting.slice(0, 1)).map((model) =>
        html("p", {}, dots(), `${loadingText(model)} …`, html("small", {}, "The first start after installation prepares the engine, which takes up to a minute."))),
      !waiting.length && !failed.length && !ready ? this.begin : "",
    ].filter((part) => part !== ""));
  }
}

/** Describe the loading step of a model. @param {Api.ModelInfo} model */
export const loadingText = (model) => `Loading ${model.name}${model.step ? `: ${model.step}` : ""}`;

/** @param {() => void} act */
const closeButton = (act) => html("button", { type: "button", className: "icon-only", "aria-label": "Close the message", onclick: act }, icon("close"));

/** Create an animation of three dots. */
export const dots = () => html("i", { className: "dots" }, html("i", {}), html("i", {}), html("i", {}));
