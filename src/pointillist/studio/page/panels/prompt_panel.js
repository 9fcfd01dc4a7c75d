// The prompt panel: conditions, sampling settings, seed, number of canvases.

import { MAX_COMPARED, SETTING_NAMES, exampleValues } from "../state/paint_jobs.js";
import { inOneDirection, html, updateChildren, setText, returnFocus } from "../shared/dom.js";
import { holdsAnything } from "../canvas/canvas_model.js";
import { iconButton } from "../widgets/icons.js";
import { SETTINGS } from "../request_fields.js";
import { COUNTS } from "../state/request.js";
import { conditionFields } from "./conditions.js";
import { ExamplePictures } from "../widgets/example_pictures.js";
import { canGuess } from "./guess_page.js";
import { LatestOnlyQueue } from "../transport/queries.js";

/** @typedef {import("../state/request.js").Request} Request */

const TILES = [["", "no"], ["x", "from left to right"], ["y", "from top to bottom"], ["both", "in both directions"]];

/** Return true if a model takes any condition. @param {Api.SupportedConditions} conditions */
const isConditional = ({ labels, attributes, text, hint, others }) => Boolean(labels.length || Object.keys(attributes).length || text || hint || Object.keys(others).length);

export class PromptPanel {
  /** @param {State} state @param {import("../transport/painter.js").Painter} painter @param {import("../transport/upload.js").Uploader} uploader @param {Commands} commands */
  constructor(state, painter, uploader, commands) {
    this.state = state;
    this.painter = painter;
    this.commands = commands;
    this.uploader = uploader;
    this.fields = html("div", { className: "fields" });
    this.canvases = html("div", { className: "fields" }); // apart: it changes while the user types in other fields
    // after a click the space bar plays the painting, and does not press the button
    this.paintButton = html("button", { className: "strong big", type: "submit", onclick: (/** @type {MouseEvent} */ event) => event.detail > 0 && returnFocus(this.paintButton) }, "Paint");
    this.newButton = html("button", { className: "big new", type: "button", title: "An empty canvas; what you have drawn goes to the gallery", onclick: () => commands.empty() }, "New");
    this.note = html("p", { className: "note", role: "status" });
    this.reading = html("p", { className: "reading", role: "status", "aria-label": "The prompt as it is read" });
    this.readings = new LatestOnlyQueue(() => state.changed());
    /** @type {Presets | null} */
    this.presets = null;
    /** @type {ExamplePictures | null} */
    this.pictures = null;
    this.request = state.request; // its fields write into one object, and are made again for another
    this.serial = 0;
    const form = html("form", { onsubmit: (/** @type {Event} */ event) => this.#submit(event) }, this.fields, html("div", { className: "go" }, html("div", { className: "go-buttons" }, this.newButton, this.paintButton), this.note));
    this.el = html("section", { className: "panel prompt-panel", "aria-label": "Prompt" }, form);
  }

  update() {
    const { state } = this;
    const { details, request } = state;
    if (request !== this.request) this.serial++;
    this.request = request;
    const key = [state.modelId, Boolean(details), Boolean(request.hint), request.hint?.name, state.panelSerial, this.serial].join();
    updateChildren(this.fields, key, () => (details ? this.#fields(details) : []));
    const hadFocus = this.canvases.contains(document.activeElement);
    updateChildren(this.canvases, [key, request.compare.by, request.compare.by2, this.painter.comparableModels().length].join(), () => (details ? this.#canvases(details) : []));
    if (hadFocus && !this.canvases.contains(document.activeElement)) this.canvases.querySelector("select")?.focus();
    this.#read();
    this.presets?.update();
    this.pictures?.update();
    setText(this.paintButton, state.work ? "Stop" : "Paint");
    this.paintButton.disabled = !details;
    this.paintButton.classList.toggle("stop", state.work !== null);
    const waiting = state.work?.waiting;
    const { canvas } = state;
    const completes = this.commands.filler.completes;
    this.newButton.disabled = !details || state.work !== null || !canvas || !holdsAnything(canvas);
    this.paintButton.title = completes ? "Keep what is on the canvas, and paint the rest (P)" : "Paint (P)";
    const seconds = state.work?.filling ? Math.round((Date.now() - state.work.filling) / 1000) : 0;
    const { rules, best_of: bestOf, seamless } = canvas?.trace === null && state.work ? canvas.settings : SETTINGS;
    const counts = state.details?.conditions.text && state.request.text.trim() ? ` as ${inOneDirection(`“${state.request.text.trim()}”`)}: empty the prompt to let the model choose` : "";
    const filling = rules ? "Drawing maps until one obeys the rules …" : bestOf > 1 ? `Drawing ${bestOf} candidates of each …` : seamless ? "Drawing, and then the seams …" : state.work?.filling ? `Completing … ${seconds ? `${seconds} s` : ""}` : completes ? `Paint completes what is on the canvas${counts}.` : "";
    setText(this.note, filling || !waiting ? filling : `${waiting} ${waiting === 1 ? "painting is" : "paintings are"} ahead in the queue`);
  }

  /** Show how the prompt is read, if not as it is typed: words that are not in what is sampled are struck out. */
  #read() {
    const { details, modelId, request } = this.state, text = details?.conditions.text ? request.text.trim() : "";
    const read = details && text ? this.readings.get(details, text, () => this.painter.server.ask(modelId, "prompt", { text })) : null;
    if (text && !read) return; // the query runs
    const bare = (/** @type {string} */ word) => word.toLowerCase().replace(/^\p{P}+|\p{P}+$/gu, "");
    const sampled = read && !(read instanceof Error) ? read.prompt : "", rest = sampled.split(/\s+/).map(bare);
    const words = text.split(/\s+/).map((word) => (rest.includes(bare(word)) ? (rest.splice(rest.indexOf(bare(word)), 1), word) : html("s", {}, word)));
    const changed = rest.some(Boolean) || words.some((word) => word instanceof Node), notes = read instanceof Error ? read.message : read ? read.notes.join(" ") : "";
    updateChildren(this.reading, JSON.stringify([text, sampled, notes]), () => [...(sampled && changed ? [...words.flatMap((word) => [word, " "]), html("ins", {}, `\u2192 ${sampled}`)] : []), ...(notes ? [html("small", {}, notes)] : [])]);
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    const submitter = event instanceof SubmitEvent ? event.submitter : null;
    const typed = submitter === this.paintButton && document.activeElement instanceof HTMLInputElement; // Enter in a field
    if (this.state.work && !typed) this.painter.stop();
    else void this.commands.paint();
  }

  /** @param {Api.ModelDetails} details */
  #fields(details) {
    const conditions = conditionFields(this.state, details, this.uploader, this.painter, () => void this.commands.paint(), this.reading);
    const hasConditions = conditions.length > 0;
    this.presets = new Presets(this.state, details.generation, (values) => {
      Object.assign(this.state.request, values);
      this.state.panelSerial++;
      this.state.changed();
    });
    const { pictures } = details.generation;
    this.pictures = pictures.length ? new ExamplePictures(this.state, this.commands, pictures) : null;
    return [
      ...(this.pictures ? [this.pictures.el] : []),
      ...conditions,
      this.presets.el,
      html("div", { className: "sliders" },
        hasConditions && this.#slider("guidance", "Guidance", 0, 6, 0.1, "How strongly the conditions count: 0 ignores them, 1 is the model, more strengthens them"),
        this.#slider("temperature", "Temperature", 0, 2, 0.05, "0 takes the most likely level, 1 is the model"),
        this.#slider("top_p", "Top-p", 0.05, 1, 0.05, "Keep only the most likely levels up to this total probability; 1 keeps all")),
      html("div", { className: "batch" }, this.#seed(), this.canvases),
      this.#variations(details),
      details.endless && html("button", { type: "button", className: "endless", title: "A map without an end, drawn as you walk through it", onclick: () => this.commands.walk() }, "Endless map"),
      canGuess(details.image) && html("button", { type: "button", className: "endless", title: "A picture comes pixel by pixel: who needs fewer bits for it?", onclick: () => this.commands.guess() }, "You against the model"),
      this.#more(details),
    ].filter((part) => part !== false);
  }

  /** Fields for the number of canvases, or for a comparison. @param {Api.ModelDetails} details */
  #canvases(details) {
    const compare = this.#compare(details);
    return this.state.request.compare.by === "" ? [...compare, this.#count()] : compare;
  }

  /** @param {"guidance" | "temperature" | "top_p"} name @param {string} label @param {number} min @param {number} max @param {number} step @param {string} title */
  #slider(name, label, min, max, step, title) {
    const { request } = this.state;
    const range = html("input", { type: "range", min, max, step, value: request[name], "aria-label": label });
    const number = html("input", { type: "number", min, step: "any", max: name === "top_p" ? 1 : 1000, value: request[name], "aria-label": `${label}, as a number` }); // a model may come with 1.25
    const take = (/** @type {HTMLInputElement} */ from, /** @type {HTMLInputElement} */ to) => () => {
      const value = Number(from.value);
      if (from.value === "" || !from.validity.valid && !from.validity.stepMismatch) return;
      to.value = String(value);
      request[name] = value;
      this.state.changed();
    };
    range.addEventListener("input", take(range, number));
    number.addEventListener("input", take(number, range));
    return html("label", { className: "slider", title }, html("span", {}, label), range, number);
  }

  #seed() {
    const { state } = this;
    const input = html("input", {
      type: "number", min: "0", max: String(2 ** 53 - 1), step: "1", placeholder: "random", value: state.request.seed ?? "",
      oninput: () => (state.request.seed = input.value === "" || !input.validity.valid ? null : Number(input.value)),
    });
    const set = (/** @type {number | null} */ seed) => {
      state.request.seed = seed;
      input.value = seed === null ? "" : String(seed);
    };
    const reuse = iconButton("reuse", "Use the seed of the active canvas again", () => set(state.canvas?.rng?.seed ?? null));
    const dice = iconButton("dice", "A new seed each time", () => set(null));
    return html("div", { className: "field" }, html("label", { className: "name" }, "Seed", input), html("div", { className: "side" }, reuse, dice));
  }

  #count() {
    const { request } = this.state;
    const options = COUNTS.map((count) =>
      html("label", {}, html("input", { type: "radio", name: "count", checked: request.count === count, onchange: () => (request.count = count) }), html("span", {}, String(count))));
    return html("fieldset", { className: "choices" }, html("legend", {}, "Canvases"), ...options);
  }

  /** @param {Api.ModelDetails} details */
  #compare(details) {
    const { state } = this;
    const { conditions } = details;
    const { compare } = state.request;
    const ways = /** @type {[import("../state/request.js").Axis, string][]} */ ([["", "nothing"], conditions.labels.length > 1 && ["label", "labels"], conditions.text && ["text", "prompts"], this.painter.comparableModels().length > 1 && ["model", "all models"], isConditional(conditions) && ["guidance", "guidance"], ["temperature", "temperature"], ["top_p", "top-p"]].filter(Boolean));
    const axis = (/** @type {"by" | "by2"} */ by, /** @type {"values" | "values2"} */ values, /** @type {string} */ name) => {
      const options = ways.filter(([value]) => by === "by" || value === "" || value !== compare.by).map(([value, text]) => html("option", { value, selected: value === compare[by] }, text));
      const select = html("select", {
        onchange: () => {
          const chosen = /** @type {import("../state/request.js").Axis} */ (select.value);
          state.request.compare = { ...compare, [by]: chosen, [values]: exampleValues(chosen, details), ...(by === "by" ? { by2: "", values2: "" } : null) };
          state.changed();
        },
      }, ...options);
      const what = SETTING_NAMES[compare[by]] ? `Values of ${SETTING_NAMES[compare[by]]}, at most ${MAX_COMPARED}` : compare[by] === "text" ? "Prompts, with a semicolon between them" : "Names of labels, or nothing for all";
      const field = compare[by] && compare[by] !== "model"
        ? html("input", { type: "text", value: compare[values], placeholder: compare[by] === "label" ? "all" : compare[by] === "text" ? "red heart; green apple" : "", "aria-label": what, title: what, oninput: (/** @type {any} */ event) => (compare[values] = event.target.value) })
        : false;
      return html("div", { className: "field" }, html("label", { className: "name", title: "Side by side, with the same random numbers" }, name, select), field);
    };
    return [axis("by", "values", "Compare"), ...(compare.by ? [axis("by2", "values2", "and, in columns")] : [])];
  }

  /** Fields for variations of the active canvas. @param {Api.ModelDetails} details */
  #variations(details) {
    const { variation } = this.state.request;
    const strength = html("input", { type: "range", min: "0", max: "1", step: "0.05", value: variation.strength, "aria-label": "Strength", oninput: () => { variation.strength = Number(strength.value); shown.textContent = strength.value; } });
    const shown = html("output", {}, String(variation.strength));
    const kinds = [["interpolate", "change all of it a little"], ["replace", "keep a share of it as it is"], ["regions", "draw parts of it again, given the rest"]].slice(0, details.redraws ? 3 : 2).map(([value, name]) => html("option", { value, selected: value === variation.kind }, name));
    const kind = html("select", { "aria-label": "Way to vary", onchange: () => (variation.kind = /** @type {import("../state/request.js").VariationChoice["kind"]} */ (kind.value)) }, ...kinds);
    const title = "New images near the active canvas, also one that you drew or opened: its random numbers are recovered, and changed by this much";
    return html("details", { className: "more variations" }, html("summary", { title }, "Variations of the canvas"),
      html("label", { className: "slider" }, html("span", {}, "Strength"), strength, shown), kind,
      html("button", { type: "button", onclick: () => void this.painter.paintVariations() }, "Paint variations"));
  }

  /** @param {Api.ModelDetails} details */
  #more(details) {
    const { request } = this.state;
    const { height, width } = details.image;
    const orders = html("select", { onchange: () => (request.order = orders.value || null) }, ...details.orders.map((order, i) => html("option", { value: i ? order : "", selected: order === request.order }, order)));
    const side = (/** @type {0 | 1} */ which, /** @type {string} */ name) => {
      const input = html("input", {
        type: "number", min: "1", max: "256", placeholder: String(which ? width : height), value: request.size?.[which] ?? "", "aria-label": name,
        oninput: () => {
          const size = /** @type {[number, number]} */ ([...(request.size ?? [height, width])]);
          size[which] = Number(input.value) || [height, width][which];
          request.size = size[0] === height && size[1] === width ? null : size;
        },
      });
      return input;
    };
    const tiles = html("select", { onchange: () => (request.seamless = /** @type {Request["seamless"]} */ (tiles.value || null)) }, ...TILES.map(([value, name]) => html("option", { value, selected: value === (request.seamless ?? "") }, name)));
    const best = html("input", { type: "number", min: "1", max: "16", step: "1", value: request.best_of, "aria-label": "Best of", oninput: () => best.validity.valid && best.value !== "" && (request.best_of = Number(best.value)) });
    return html("details", { className: "more", open: request.best_of > 1 || request.seamless !== null }, html("summary", {}, "More"),
      details.redraws === true && html("div", { className: "field tiles", title: "The edges of each image fit each other: it can be laid side by side" }, html("label", { className: "name" }, "Tiles", tiles)),
      isConditional(details.conditions) && html("div", { className: "field best-of", title: "So many images are drawn for each, and one is shown that its prompt or label explains and that is not odd" }, html("span", { className: "name" }, "Best of"), best),
      details.orders.length > 1 && html("div", { className: "field" }, html("label", { className: "name" }, "Order", orders)),
      !details.fixed_size && html("div", { className: "field" }, html("span", { className: "name" }, "Size"), html("div", { className: "side" }, side(0, "Height"), "×", side(1, "Width"))));
  }
}

/** @typedef {{guidance: number, temperature: number, top_p: number}} Sampling */

const NAMES = /** @type {const} */ (["guidance", "temperature", "top_p"]);

/** List the presets of a model. @param {Api.GenerationDefaults} shipped @returns {[string, string, Sampling][]} */
function presetsOf(shipped) {
  const asTrained = { guidance: 1, temperature: 1, top_p: 1 };
  const { guidance, temperature, top_p } = shipped;
  /** @type {[string, string, Sampling][]} */
  const all = [["model", "Samples of the model as it was trained: all 1", asTrained], ["as shipped", "What suits this model, chosen by its makers", { guidance, temperature, top_p }], ["wild", "Unlikely levels, too", { guidance: Math.max(1, guidance / 2), temperature: 1.3, top_p: 1 }]];
  return all.filter(([name, , values]) => name !== "as shipped" || NAMES.some((key) => values[key] !== asTrained[key]));
}

/** Presets of guidance, temperature and top-p, and a button that resets the panel. */
class Presets {
  /** @param {State} state @param {Api.GenerationDefaults} shipped @param {(values: Sampling) => void} take */
  constructor(state, shipped, take) {
    this.state = state;
    this.presets = presetsOf(shipped);
    this.buttons = this.presets.map(([name, title, values]) => html("button", { type: "button", title, onclick: () => take(values) }, name));
    const reset = html("button", { type: "button", title: "Empty all fields of this panel, with the settings that suit the model", onclick: () => state.resetRequest() }, "Reset");
    this.el = html("div", { className: "row presets", role: "group", "aria-label": "Presets" }, ...this.buttons, reset);
  }

  update() {
    const { request } = this.state;
    this.presets.forEach(([, , values], i) => this.buttons[i].setAttribute("aria-pressed", String(NAMES.every((name) => request[name] === values[name]))));
  }
}
