// Taking home: pictures, animations, recipes; and recipes that are painted again.

import { pack, unpackLevels } from "./arrays.js";
import { blankBoard, isComplete, shown, traced } from "./board.js";
import { download } from "./dom.js";
import { Fault, wasStopped } from "./api.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./board.js").Board} Board */

const LARGE = 1024; // about the longer side of an enlarged picture
const MOST_SCALE = 64;

export class Keeping {
  /** @param {State} state @param {import("./api.js").Server} server @param {import("./painter.js").Painter} painter */
  constructor(state, server, painter) {
    this.state = state;
    this.server = server;
    this.painter = painter;
  }

  /** How many times an enlarged picture is larger. @param {Board} board */
  scale(board) {
    return Math.max(2, Math.min(MOST_SCALE, Math.floor(LARGE / Math.max(board.height, board.width))));
  }

  /** @param {Board} board @param {number} scale */
  async png(board, scale) {
    const blob = await this.server.png(board.model, { levels: this.#levels(board), scale });
    download(blob, `${this.#name(board)}${scale > 1 ? `-x${scale}` : ""}.png`);
  }

  /** How it was painted. @param {Board} board @param {boolean} dark */
  async gif(board, dark) {
    const known = pack(board.known, [board.height, board.width]);
    const request = { images: [this.#levels(board)], order: board.settings.order, dark };
    const blob = await this.server.gif(board.model, board.known.includes(1) ? { ...request, known } : request);
    download(blob, `${this.#name(board)}.gif`);
  }

  /** @param {Board} board */
  recipe(board) {
    const { recipe } = board.trace ?? {};
    if (recipe) download(new Blob([JSON.stringify(recipe, null, 1)], { type: "application/json" }), `${this.#name(board)}.json`);
  }

  /** What can be kept of the board in hand. */
  get possible() {
    const { board } = this.state;
    if (!board) return { picture: false, gif: false, recipe: false };
    const whole = isComplete(shown(board));
    const picture = whole && board.details.image.mode !== "codes";
    return { picture, gif: picture && board.trace !== null, recipe: Boolean(board.trace?.recipe) };
  }

  /** Paint a recipe again and say whether the same comes out. @param {File} file */
  async reproduce(file) {
    const recipe = readRecipe(await file.text());
    const { state } = this;
    const ready = state.models.filter((one) => one.details);
    const model = ready.find((one) => one.details?.sha256 === recipe.model.sha256) ?? ready.find((one) => one.id === state.modelId);
    if (!model?.details) return state.note("error", "No model is ready to paint the recipe with: wait until one is.");
    this.painter.stop();
    const work = { waiting: null, stop: new AbortController() };
    state.work = work;
    state.note("plain", `Painting ${file.name} again with ${model.name} …`);
    try {
      const found = await this.server.repaint(model.id, recipe, work.stop.signal);
      await this.#show(model.id, model.details, recipe, found);
    } catch (error) {
      if (!wasStopped(error)) throw error;
      state.notice = null;
    } finally {
      if (state.work === work) state.work = null;
      state.changed();
    }
  }

  /** @param {string} model @param {Api.Details} details @param {Api.Recipe} recipe @param {Api.Repainted} found */
  async #show(model, details, recipe, found) {
    const boards = [];
    for (const [i, image] of found.images.entries()) {
      const canvas = recipe.request.canvases[i];
      const [, height, width] = image.levels.shape;
      const levels = unpackLevels(image.levels);
      const settings = {
        guidance: recipe.request.guidance ?? 1, temperature: recipe.request.temperature ?? 1, top_p: recipe.request.top_p ?? 1,
        order: recipe.request.order ?? null,
      };
      const question = { levels: image.levels, told: canvas.told, order: settings.order };
      const maps = await this.server.score(model, question);
      const parts = traced(details, levels, maps);
      parts.trace.painted = image;
      const draw = { seed: canvas.seed ?? 0, index: canvas.index ?? 0 };
      const verdict = { same: found.identical[i], text: found.identical[i] ? "identical to the bit" : "differs" };
      boards.push({ ...blankBoard(model, details, [height, width]), ...parts, told: canvas.told ?? {}, settings, draw, verdict });
    }
    this.state.show(boards);
    this.painter.keep(boards);
    this.state.note(found.identical.every(Boolean) ? "good" : "error", found.message);
  }

  /** @param {Board} board */
  #levels(board) {
    return pack(shown(board).levels, [board.details.image.channels, board.height, board.width]);
  }

  /** @param {Board} board */
  #name(board) {
    const told = typeof board.told.label === "number" ? board.details.conditions.labels[board.told.label] : board.told.text;
    const parts = [board.model, told, board.draw ? `seed-${board.draw.seed}` : "image", board.draw?.index || ""];
    return parts.filter(Boolean).join("-").replace(/[^\w.-]+/g, "-").slice(0, 80);
  }
}

/** @param {string} text @returns {Api.Recipe} */
function readRecipe(text) {
  try {
    const recipe = JSON.parse(text);
    if (recipe?.format === "pointillist-recipe") return recipe;
  } catch {
    // said below
  }
  throw new Fault({ error: "The file is not a recipe: take one that was saved here under Keep.", code: "invalid" }, 0);
}
