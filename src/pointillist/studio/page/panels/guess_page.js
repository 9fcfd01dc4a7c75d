// You against the model: a picture comes pixel by pixel, both say what they expect, and both pay in bits.
// A guess is a level and how sure one is of it; the rest of the probability is shared by all other levels.

import { drawImage } from "../canvas/draw_image.js";
import { showColour } from "../canvas/tiles.js";
import { Chart } from "../shared/chart.js";
import { levelName, swatch } from "../shared/colour.js";
import { formatBits, formatFixed, formatPercent, html, setText } from "../shared/dom.js";
import { SETTINGS } from "../request_fields.js";
import { describeConditions } from "../state/paint_jobs.js";

/** @typedef {{you: number, model: number, chance: number}} Score bits */
/** @typedef {{trace: PaintingTrace, canvas: Canvas, questions: number[], round: number, score: Score, certain: number}} Game `questions`: positions in the order of painting; `certain`: bits of the model for all pixels that were not asked */

const ROUNDS = 12;
const MOST_LEVELS = 64; // one button each
const SPREAD = 2; // pixels: questions are further apart than this
const LEAST = 0.2; // bits of entropy: pixels below are as good as known
const SAMPLES = { ...SETTINGS, size: null }; // of the model as it was trained
const SUREST = 99; // percent: whoever is certain and wrong would pay without end

/** Return true if pixels of a kind of image can be guessed one by one. @param {Api.ImageKind} image */
export const canGuess = ({ channels, levels }) => channels === 1 && levels <= MOST_LEVELS;

/**
 * Choose what to ask: where the model knows least, and not side by side.
 * @param {PaintingTrace} trace @param {number} width
 * @returns {number[]} positions, in the order of painting
 */
export function questionsOf(trace, width) {
  const order = Array.from(trace.sequence, (_, position) => position).filter((position) => trace.entropy[position] >= LEAST).sort((a, b) => trace.entropy[b] - trace.entropy[a]);
  const chosen = /** @type {number[]} */ ([]);
  const near = (/** @type {number} */ a, /** @type {number} */ b) => Math.abs(Math.floor(a / width) - Math.floor(b / width)) <= SPREAD && Math.abs((a % width) - (b % width)) <= SPREAD;
  for (const position of order) {
    if (chosen.length === ROUNDS) break;
    if (!chosen.some((other) => near(trace.sequence[other], trace.sequence[position]))) chosen.push(position);
  }
  return chosen.sort((a, b) => a - b);
}

/** Bits that a guess pays. @param {boolean} right @param {number} sure probability of the level that was chosen @param {number} levels */
export const bitsOf = (right, sure, levels) => -Math.log2(right ? sure : (1 - sure) / (levels - 1));

export class GuessPage {
  /** @param {State} state @param {import("../transport/painter.js").Painter} painter */
  constructor(state, painter) {
    this.state = state;
    this.painter = painter;
    this.game = /** @type {Game | null} */ (null);
    this.level = /** @type {number | null} */ (null);
    this.stopped = new AbortController();
    this.picture = html("canvas", { className: "guess-picture", role: "img" });
    this.marker = html("i", { className: "guess-marker" });
    this.levels = html("div", { className: "guess-levels", role: "radiogroup", "aria-label": "What comes next" });
    this.sure = html("input", { type: "range", max: String(SUREST), step: "1", "aria-label": "How sure you are, in percent", oninput: () => this.#promise() });
    this.promise = html("p", { className: "note" });
    this.given = html("p", { className: "note" });
    this.question = html("p", { className: "guess-question", role: "status" });
    this.bet = html("button", { type: "button", className: "strong", onclick: () => this.#bet() }, "Guess");
    this.next = html("button", { type: "button", className: "strong", onclick: () => this.#ask() }, "Next pixel");
    this.again = html("button", { type: "button", onclick: () => void this.#begin() }, "Another picture");
    this.show = html("button", { type: "button", title: "With the bits of each of its pixels", onclick: () => this.#toCanvas() }, "Show it on the canvas");
    this.answer = html("div", { className: "guess-answer" });
    this.scores = html("div", { className: "guess-scores" });
    this.form = html("div", { className: "guess-form" }, this.levels, html("label", { className: "slider" }, html("span", {}, "How sure?"), this.sure), this.promise);
    this.el = html("dialog", { className: "gallery-page guess-page", "aria-label": "You against the model", onclose: () => this.stopped.abort() },
      html("div", { className: "row" }, html("h2", {}, "You against the model"), html("button", { type: "button", className: "close", title: "Back to the canvas", onclick: () => this.el.close() }, "Close")),
      html("p", { className: "note" }, `A picture that nobody has seen. ${ROUNDS} of its pixels are asked, where the model itself knows least; both of you say what comes, and pay −log₂ of the probability that you gave to what did. Fewer bits win.`),
      html("div", { className: "guess" }, html("div", { className: "guess-frame" }, this.picture, this.marker),
        html("div", { className: "guess-side" }, this.question, this.given, this.form, this.answer, html("div", { className: "row" }, this.bet, this.next, this.again, this.show), this.scores)));
  }

  open() {
    this.el.showModal();
    void this.#begin();
  }

  /** Let the model paint a picture, unseen. */
  async #begin() {
    const { model, request } = this.state;
    if (!model?.details || !canGuess(model.details.image)) return;
    this.stopped.abort();
    const stop = (this.stopped = new AbortController());
    this.game = null;
    this.#update("The model paints a picture, unseen …");
    setText(this.given, "");
    try {
      const canvas = await this.painter.paintAside({ ...request, ...SAMPLES }, model, Math.floor(Math.random() * 2 ** 31), stop);
      const trace = /** @type {PaintingTrace} */ (canvas.trace), words = describeConditions(canvas.conditions, model.details.conditions);
      setText(this.given, words ? `Both of you know what it should be: ${words}.` : "");
      const questions = questionsOf(trace, canvas.width);
      const chosen = new Set(questions);
      const certain = trace.surprisal.reduce((sum, bits, position) => sum + (chosen.has(position) ? 0 : bits), 0);
      this.game = { trace, canvas, questions, round: -1, score: { you: 0, model: 0, chance: 0 }, certain };
      this.#ask();
    } catch (error) {
      if (!stop.signal.aborted) this.#update(error instanceof Error ? error.message : String(error));
    }
  }

  /** Ask for the next pixel, or end the game. */
  #ask() {
    const { game } = this;
    if (!game) return;
    game.round++;
    this.level = null;
    const { image } = game.canvas.details;
    this.sure.min = String(Math.ceil(100 / image.levels));
    this.sure.value = "60";
    this.answer.replaceChildren();
    this.levels.replaceChildren(...Array.from({ length: image.levels }, (_, level) => this.#choice(image, level)));
    this.#update(game.round < game.questions.length ? `Pixel ${game.round + 1} of ${game.questions.length}: what comes at the mark?` : verdictOf(game));
    this.#promise();
    if (game.round < game.questions.length) /** @type {HTMLElement | null} */ (this.levels.querySelector("input"))?.focus();
  }

  /** @param {Api.ImageKind} image @param {number} level */
  #choice(image, level) {
    const colour = html("i", {});
    showColour(colour, image, [level], swatch(image, 0, level));
    const name = levelName(image, level);
    return html("label", { title: name }, html("input", { type: "radio", name: "guess", "aria-label": `Level ${name}`, onchange: () => { this.level = level; this.#promise(); } }), colour);
  }

  /** Say what the guess would pay. */
  #promise() {
    const { game, level } = this;
    this.bet.disabled = level === null;
    if (!game || level === null) return setText(this.promise, "Choose a level, then say how sure you are of it.");
    const { levels } = game.canvas.details.image;
    const sure = Number(this.sure.value) / 100;
    setText(this.promise, `${this.sure.value} % sure: ${formatBits(bitsOf(true, sure, levels))} if right, ${formatBits(bitsOf(false, sure, levels))} if wrong.`);
  }

  #bet() {
    const { game, level } = this;
    if (!game || level === null) return;
    const { image } = game.canvas.details;
    const position = game.questions[game.round];
    const observed = game.trace.levels[position];
    const sure = Number(this.sure.value) / 100;
    const you = bitsOf(level === observed, sure, image.levels);
    const model = game.trace.surprisal[position];
    const probs = /** @type {Float64Array} */ (game.trace.distribution(position, 0));
    game.score = { you: game.score.you + you, model: game.score.model + model, chance: game.score.chance + Math.log2(image.levels) };
    const chart = new Chart(image, 0, null);
    chart.update({ probs, observed, sampling_probs: null, quantiles: null, components: null, chosen: level === observed ? null : level });
    this.answer.replaceChildren(
      html("p", {}, html("b", {}, `${level === observed ? "Right" : "No"}: level ${levelName(image, observed)}.`), ` You pay ${formatBits(you)}; the model gave it ${formatPercent(probs[observed])} and pays ${formatBits(model)}.`),
      chart.el);
    this.#update(`Pixel ${game.round + 1} of ${game.questions.length}`, true);
    setText(this.next, game.round + 1 < game.questions.length ? "Next pixel" : "The end");
    this.next.focus();
  }

  /** @param {string} text @param {boolean} answered */
  #update(text, answered = false) {
    const { game } = this;
    const asks = game !== null && game.round < game.questions.length;
    const over = game !== null && !asks;
    setText(this.question, text);
    this.form.hidden = !asks || answered;
    this.bet.hidden = !asks || answered;
    this.next.hidden = !answered;
    this.again.hidden = game !== null && !over;
    this.show.hidden = !over;
    this.#draw(answered);
    this.#score();
  }

  /** @param {boolean} answered */
  #draw(answered) {
    const { game } = this;
    this.marker.hidden = true;
    this.picture.hidden = !game;
    if (!game) return;
    const { canvas, trace, questions, round } = game;
    const until = round < questions.length ? questions[round] + Number(answered) : trace.length;
    const [levels, known] = [canvas.levels.slice(), new Uint8Array(canvas.known.length)];
    for (let position = 0; position < until; position++) {
      levels[trace.sequence[position]] = trace.levels[position];
      known[trace.sequence[position]] = 1;
    }
    drawImage(this.picture, canvas.details.image, { levels, known }, canvas.height, canvas.width, { tiled: true });
    this.picture.style.aspectRatio = `${canvas.width} / ${canvas.height}`;
    this.picture.setAttribute("aria-label", `The picture as far as it is known: ${until} of ${trace.length} pixels`);
    if (round >= questions.length) return;
    const pixel = trace.sequence[questions[round]];
    const share = (/** @type {number} */ part, /** @type {number} */ of) => `${(100 * part) / of}%`;
    Object.assign(this.marker, { hidden: false });
    Object.assign(this.marker.style, { left: share(pixel % canvas.width, canvas.width), top: share(Math.floor(pixel / canvas.width), canvas.height), width: share(1, canvas.width), height: share(1, canvas.height) });
  }

  /** Show the bits of both as bars. */
  #score() {
    const { game } = this;
    const most = Math.max(1, ...Object.values(game?.score ?? {}));
    const rows = game ? /** @type {const} */ ([["You", game.score.you, "you"], ["The model", game.score.model, "model"], ["Blind chance", game.score.chance, "chance"]]) : [];
    this.scores.replaceChildren(...rows.map(([name, bits, whose]) => html("div", { className: whose }, html("span", {}, name), html("span", { className: "guess-bar" }, html("i", { style: `width:${(100 * bits) / most}%` })), html("b", {}, formatBits(bits)))));
  }

  /** Put the picture on the canvas, where its pixels can be asked. */
  #toCanvas() {
    const { game } = this;
    if (!game) return;
    this.state.show([game.canvas]);
    this.el.close();
  }
}

/** Say who won. @param {Game} game */
function verdictOf({ score: { you, model, chance }, questions, certain }) {
  if (!questions.length) return "The model knew every pixel of this picture: there is nothing to ask. Try another one.";
  const who = you < model ? `You won by ${formatBits(model - you)}: luck, or an eye that the model has not.` : `The model won by ${formatBits(you - model)}${you > chance ? "; saying nothing, all levels equally likely, would have cost you less" : ""}.`;
  return `${who} The whole picture takes the model ${formatFixed(certain + model, 1)} bits: −log₂ of its likelihood.`;
}
