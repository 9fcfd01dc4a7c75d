// A tour of some minutes: one sentence at a time, each points at a control and is followed by something to do.

import { holdsAnything, isComplete, visibleImage } from "../canvas/canvas_model.js";
import { drawableHint } from "../drawing/hint_pad.js";
import { noRules, switchesOf } from "../state/map_rules.js";
import { html, reveal, setText } from "../shared/dom.js";

/** @typedef {import("../state/state.js").State} State */
/** @typedef {import("../state/commands.js").Commands} Commands */
/** @typedef {{text: string, at: string, done: (state: State) => boolean, when?: (state: State) => boolean, go?: (state: State, commands: Commands) => void}} Step `at`: selector of the control; `done`: whether the user has done it; `when`: whether a model of the studio can do it; `go`: what *Take me there* does */

const prompted = (/** @type {State} */ { details }) => Boolean(details && (details.conditions.text || details.conditions.labels.length));
const hinted = (/** @type {State} */ { models }) => models.some((model) => model.details && drawableHint(model.details));
const isMap = (/** @type {Api.ModelDetails | null | undefined} */ details) => details?.image.mode === "codes" && !details.image.ordered;
const mapped = (/** @type {State} */ { models }) => models.some((model) => isMap(model.details));
const isRuled = (/** @type {Api.ModelDetails} */ details) => switchesOf(details.image).length > 0;
const endless = (/** @type {State} */ { models }) => models.some((model) => model.details?.endless);

/** Select the first model of a kind, unless the selected one is. @param {State} state @param {Commands} commands @param {(details: Api.ModelDetails) => unknown} fits */
function choose(state, commands, fits) {
  const model = state.models.find(({ details }) => details && fits(details));
  if (model && !(state.details && fits(state.details))) commands.useModel(model.id);
}

/** Paint a map by a rule. @param {State} state @param {Commands} commands */
function obey(state, commands) {
  choose(state, commands, isRuled);
  Object.assign(state.request, { rules: { ...noRules(), reachable: true }, declared: null });
  state.panelSerial++;
  void commands.painter.paint();
}

/** Open an endless map. @param {State} state @param {Commands} commands */
function walk(state, commands) {
  choose(state, commands, (details) => details.endless);
  commands.walk();
}

/** @type {Step[]} */
const STEPS = [
  { at: ".go .strong", text: "This model paints an image pixel by pixel, each from the pixels before it. Press Paint and watch.", done: (state) => state.work !== null || state.length > 0 },
  { at: ".player .play", text: "Press the round button (or the space bar) to pause. The panel on the right shows the newest pixel: how likely the model held every level, and in orange what it drew.", done: (state) => state.length > 0 && !state.playing },
  { at: ".toolbar .views", text: "Let it finish. Then press Surprise: bright pixels were unlikely. 1 bit of surprise is a coin toss, 10 bits a chance of 1 in 1,024.", done: (state) => state.view === "surprisal" },
  { at: ".canvases .frame", text: "Press Image, and click a pixel to hold it. Why is it dark, or light? The bars are its distribution, and the small map shows which earlier pixels it depends on.", done: (state) => state.heldPixel !== null },
  { at: ".panel.pixel", text: "Click another bar: what if the pixel were that? The page says what it costs in bits. Then press Repaint from here: the model keeps all before the pixel, and paints the rest anew.", done: (state) => state.heldPixel?.choice.some((level) => level !== null) ?? false },
  { at: ".prompt-panel .fields", when: prompted, text: "The conditions are on the left. Take another prompt, or another style under Label, and paint again: the same model, told something else.", done: (state) => state.request.label !== null || Boolean(state.canvas?.conditions.text && state.canvas.conditions.text !== state.details?.generation.prompts[0]) },
  { at: ".toolbar .tools", text: "Now you draw. Press New, take the pencil, draw a line, and press Paint: the model keeps your strokes to the bit and offers several ways to complete them. Erased or selected parts are filled the same way.", done: (state) => state.fill !== null && state.canvas !== undefined && isComplete(visibleImage(state.canvas)) },
  { at: ".variations", text: "Open Variations of the canvas and paint some: images near this one. Its random numbers are recovered exactly, and changed a little.", done: (state) => Boolean(state.canvas?.variation) },
  { at: ".header select", when: hinted, text: "Choose outline-to-tile: an outline that you draw on the pad becomes a tile, with every stroke.", done: (state) => state.request.hint !== null, go: (state, commands) => choose(state, commands, drawableHint) },
  { at: ".header select", when: mapped, text: "Choose dungeons for maps: paint one, press Extend below it to grow it, and save it for Tiled under More.", done: (state) => Boolean(state.canvas && isMap(state.canvas.details) && holdsAnything(state.canvas)), go: (state, commands) => choose(state, commands, isMap) },
  { at: ".rules", when: ({ models }) => models.some(({ details }) => details && isRuled(details)), text: "Maps obey rules: tick Everything reachable, and paint. No map is mended afterwards: only levels that the rules allow are drawn.", done: (state) => Boolean(state.canvas?.settings.rules), go: obey },
  { at: ".endless", when: endless, text: "Press Endless map: a world by its seed, drawn as you walk through it with the arrow keys.", done: (state) => state.hasWalked, go: walk },
  { at: ".export-actions", text: "That is all: what you saw is a chain of distributions and draws, nothing else. Save what you like, or copy a link to it; your browser keeps the rest.", done: () => false },
];

export class Tour {
  /** @param {State} state @param {HTMLElement} root @param {Commands} commands */
  constructor(state, root, commands) {
    this.state = state;
    this.commands = commands;
    this.root = root;
    /** @type {number | null} */
    this.at = null;
    /** @type {Element | null} the control at which it points */
    this.target = null;
    this.text = html("p", { role: "status" });
    this.count = html("small", {});
    this.next = html("button", { type: "button", className: "strong", onclick: () => this.#go(1) });
    this.there = html("button", { type: "button", onclick: () => this.#take() }, "Take me there");
    const back = html("button", { type: "button", onclick: () => this.#go(-1) }, "Back");
    const end = html("button", { type: "button", onclick: () => this.#end() }, "End the tour");
    this.back = back;
    this.el = html("section", { className: "tour", "aria-label": "Tour", hidden: true }, this.text, html("div", { className: "row" }, this.next, this.there, back, end, this.count));
  }

  /** The steps that this studio can do. */
  get steps() {
    return STEPS.filter((step) => step.when?.(this.state) ?? true);
  }

  start() {
    this.at = 0;
    this.state.cardClosed = true; // the tour says the same, and more
    this.state.changed();
  }

  update() {
    const { at, state } = this;
    this.el.hidden = at === null;
    const steps = this.steps;
    const step = at === null ? null : (steps[at] ?? steps[steps.length - 1]);
    this.#point(step);
    if (at === null || !step) return;
    setText(this.text, step.text);
    setText(this.count, `${at + 1} of ${steps.length}`);
    this.back.disabled = at === 0;
    this.there.hidden = !step.go || step.done(state);
    setText(this.next, at === steps.length - 1 ? "Done" : step.done(state) ? "Next" : "Skip");
    this.next.classList.toggle("quiet", !step.done(state) && at < steps.length - 1);
  }

  /** Point at the control of a step. @param {Step | null} step */
  #point(step) {
    const target = step ? this.root.querySelector(step.at) : null;
    if (target === this.target) return;
    this.target?.classList.remove("pointed");
    target?.classList.add("pointed");
    if (target) reveal(target);
    this.target = target;
  }

  /** Do what a step asks for. */
  #take() {
    this.steps[this.at ?? 0]?.go?.(this.state, this.commands);
    this.state.changed();
  }

  /** @param {number} steps */
  #go(steps) {
    const at = (this.at ?? 0) + steps;
    if (at >= this.steps.length) return this.#end();
    this.at = Math.max(0, at);
    this.state.changed();
  }

  #end() {
    this.at = null;
    this.state.tourSeen = true;
    this.state.changed();
  }
}
