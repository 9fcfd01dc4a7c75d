// The panel of what is asked for: conditions, settings, random numbers, how many canvases.

import { MOST_COMPARED, NAMES, USUAL } from "./asking.js";
import { h, inFocus, refill, say, stepBack } from "./dom.js";
import { icon } from "./icons.js";
import { conditionFields } from "./conditions.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Ask} Ask */

export class AskPanel {
  /** @param {State} state @param {import("./painter.js").Painter} painter @param {import("./bringing.js").Bringing} bringing */
  constructor(state, painter, bringing) {
    this.state = state;
    this.painter = painter;
    this.bringing = bringing;
    this.fields = h("div", { className: "fields" });
    this.canvases = h("div", { className: "fields" }); // by itself: it changes while somebody writes beside it
    // after a click the space bar is the painting's, not the button's
    this.go = h("button", { className: "strong big", type: "submit", onclick: (/** @type {MouseEvent} */ event) => event.detail > 0 && stepBack(this.go) }, "Paint");
    this.note = h("p", { className: "note", role: "status" });
    const form = h("form", { onsubmit: (/** @type {Event} */ event) => this.#submit(event) }, this.fields, h("div", { className: "go" }, this.go, this.note));
    this.el = h("section", { className: "panel ask", "aria-label": "Ask" }, form);
  }

  update() {
    const { state } = this;
    const { details, ask } = state;
    const key = [state.modelId, Boolean(details), ask.hint?.name].join();
    refill(this.fields, key, () => (details ? this.#fields(details) : []));
    const held = this.canvases.contains(inFocus(this.canvases));
    refill(this.canvases, [key, ask.compare.by, this.painter.rivals().length].join(), () => (details ? this.#canvases(details) : []));
    if (held && !this.canvases.contains(inFocus(this.canvases))) this.canvases.querySelector("select")?.focus();
    say(this.go, state.work ? "Stop" : "Paint");
    this.go.disabled = !details;
    this.go.classList.toggle("stop", state.work !== null);
    const waiting = state.work?.waiting;
    say(this.note, waiting ? `${waiting} ${waiting === 1 ? "painting goes" : "paintings go"} before this one` : "");
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    if (this.state.work) this.painter.stop();
    else this.painter.paint();
  }

  /** @param {Api.Details} details */
  #fields(details) {
    const told = conditionFields(this.state, details, this.bringing);
    const guided = told.length > 0;
    return [
      ...told,
      h("div", { className: "sliders" },
        guided && this.#slider("guidance", "Guidance", 0, 6, 0.1, "How much the wish is stressed: 0 ignores it, 1 is the model"),
        this.#slider("temperature", "Temperature", 0, 2, 0.05, "0 takes the likeliest level, 1 is the model"),
        this.#slider("top_p", "Top-p", 0.05, 1, 0.05, "Only the likeliest levels up to this probability; 1 keeps all")),
      this.#seed(),
      this.canvases,
      (details.orders.length > 1 || !details.fixed_size) && this.#more(details),
    ].filter((part) => part !== false);
  }

  /** How many, or what side by side. @param {Api.Details} details */
  #canvases(details) {
    const compare = this.#compare(details.conditions);
    return this.state.ask.compare.by === "" ? [compare, this.#count()] : [compare];
  }

  /** @param {"guidance" | "temperature" | "top_p"} name @param {string} label @param {number} min @param {number} max @param {number} step @param {string} title */
  #slider(name, label, min, max, step, title) {
    const { ask } = this.state;
    const range = h("input", { type: "range", min, max, step, value: ask[name], "aria-label": label });
    const number = h("input", { type: "number", min, step, max: name === "top_p" ? 1 : 1000, value: ask[name], "aria-label": `${label}, as a number` });
    const take = (/** @type {HTMLInputElement} */ from, /** @type {HTMLInputElement} */ to) => () => {
      const value = Number(from.value);
      if (from.value === "" || !from.validity.valid && !from.validity.stepMismatch) return;
      to.value = String(value);
      ask[name] = value;
    };
    range.addEventListener("input", take(range, number));
    number.addEventListener("input", take(number, range));
    return h("label", { className: "slider", title }, h("span", {}, label), range, number);
  }

  #seed() {
    const { state } = this;
    const input = h("input", {
      type: "number", min: "0", max: String(2 ** 53 - 1), step: "1", placeholder: "a new one", value: state.ask.seed ?? "",
      oninput: () => (state.ask.seed = input.value === "" || !input.validity.valid ? null : Number(input.value)),
    });
    const set = (/** @type {number | null} */ seed) => {
      state.ask.seed = seed;
      input.value = seed === null ? "" : String(seed);
    };
    const hold = h("button", { type: "button", title: "Take the seed of the canvas in hand", onclick: () => set(state.board?.draw?.seed ?? null) }, "Reuse");
    const dice = h("button", { type: "button", className: "icon-only", title: "A new seed each time", "aria-label": "A new seed each time", onclick: () => set(null) }, icon("dice"));
    return h("div", { className: "field" }, h("label", { className: "name" }, "Seed", input), h("div", { className: "side" }, hold, dice));
  }

  #count() {
    const { ask } = this.state;
    const options = [1, 2, 4, 9, 16].map((count) =>
      h("label", {}, h("input", { type: "radio", name: "count", checked: ask.count === count, onchange: () => (ask.count = count) }), h("span", {}, String(count))));
    return h("fieldset", { className: "choices" }, h("legend", {}, "Canvases"), ...options);
  }

  /** @param {Api.Conditions} conditions */
  #compare(conditions) {
    const { state } = this;
    const { compare } = state.ask;
    const told = conditions.labels.length || Object.keys(conditions.attributes).length || conditions.text || conditions.hint || conditions.vector;
    const ways = [["", "nothing"], conditions.labels.length > 1 && ["label", "all labels"], this.painter.rivals().length > 1 && ["model", "all models"], told && ["guidance", "guidance"], ["temperature", "temperature"], ["top_p", "top-p"]];
    const options = /** @type {[string, string][]} */ (ways.filter(Boolean)).map(([value, name]) => h("option", { value, selected: value === compare.by }, name));
    const select = h("select", {
      onchange: () => {
        const by = /** @type {Ask["compare"]["by"]} */ (select.value);
        state.ask.compare = { by, values: USUAL[by] ?? "" };
        state.changed();
      },
    }, ...options);
    const values = compare.by in NAMES
      ? h("input", { type: "text", value: compare.values, "aria-label": `Values of ${NAMES[compare.by]}, at most ${MOST_COMPARED}`, oninput: (/** @type {any} */ event) => (compare.values = event.target.value) })
      : false;
    return h("div", { className: "field" }, h("label", { className: "name", title: "Side by side, from the same random numbers" }, "Compare", select), values);
  }

  /** @param {Api.Details} details */
  #more(details) {
    const { ask } = this.state;
    const { height, width } = details.image;
    const orders = h("select", { onchange: () => (ask.order = orders.value || null) }, ...details.orders.map((order, i) => h("option", { value: i ? order : "" }, order)));
    const side = (/** @type {0 | 1} */ which, /** @type {string} */ name) => {
      const input = h("input", {
        type: "number", min: "1", max: "256", placeholder: String(which ? width : height), value: ask.size?.[which] ?? "", "aria-label": name,
        oninput: () => {
          const size = /** @type {[number, number]} */ ([...(ask.size ?? [height, width])]);
          size[which] = Number(input.value) || [height, width][which];
          ask.size = size[0] === height && size[1] === width ? null : size;
        },
      });
      return input;
    };
    return h("details", { className: "more" }, h("summary", {}, "More"),
      details.orders.length > 1 && h("div", { className: "field" }, h("label", { className: "name" }, "Order", orders)),
      !details.fixed_size && h("div", { className: "field" }, h("span", { className: "name" }, "Size"), h("div", { className: "side" }, side(0, "Height"), "×", side(1, "Width"))));
  }
}
