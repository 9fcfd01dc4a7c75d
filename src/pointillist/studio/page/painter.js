// Painting: requests to the server, their events into traces, and what is kept of them.

import { pack } from "./arrays.js";
import { jobsOf, toldInWords } from "./asking.js";
import { blankBoard, sameGrid, shown } from "./board.js";
import { Fault, wasStopped } from "./api.js";
import { Trace, unpackBatch } from "./trace.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./board.js").Board} Board */
/** @typedef {import("./board.js").Shown} Shown */
/** @typedef {import("./asking.js").Job} Job */

const MOST_PROBABILITIES = 3_000_000; // numbers that may come along with a painting, for a chart that moves
const MOST_KEPT = 60;

export class Painter {
  /** @param {State} state @param {import("./api.js").Server} server @param {import("./player.js").Player} player */
  constructor(state, server, player) {
    this.state = state;
    this.server = server;
    this.player = player;
  }

  /** New images, as asked. */
  async paint() {
    const { model } = this.state;
    if (model?.details) await this.#run(jobsOf(this.state.ask, model, this.rivals()), null);
  }

  /** What is missing of the board in hand. */
  async goOn() {
    const { board } = this.state;
    if (board) await this.from(shown(board, this.state.at), board);
  }

  /**
   * From an image: known pixels are kept.
   * @param {Shown} start @param {Board} board where it stands
   */
  async from(start, board) {
    const { state } = this;
    const model = state.model?.details && sameGrid(state.model.details.image, board.details.image)
      ? state.model
      : state.models.find((one) => one.id === board.model);
    if (model) await this.#run(jobsOf(state.ask, model, this.rivals()), {
        levels: start.levels.slice(), known: start.known.slice(), height: board.height, width: board.width,
      });
  }

  /** The held pixel as chosen and all before it are kept, the rest is painted again. @param {import("./questions.js").Questions} questions */
  async repaint(questions) {
    const { pin, board } = this.state;
    if (!pin || !board) return;
    const maps = await questions.order(board);
    if (maps instanceof Error) return this.#failed(maps);
    const image = shown(board);
    const size = board.known.length;
    const known = new Uint8Array(size);
    for (const pixel of maps.sequence.slice(0, maps.sequence.indexOf(pin.pixel) + 1)) known[pixel] = 1;
    const levels = image.levels.map((level, i) => (known[i % size] ? level : 0));
    pin.choice.forEach((level, c) => (levels[c * size + pin.pixel] = level ?? levels[c * size + pin.pixel]));
    await this.from({ levels, known }, board);
  }

  /** Models that paint images as the one that is asked. */
  rivals() {
    const image = this.state.details?.image;
    return this.state.models.filter((one) => one.details && image && sameGrid(one.details.image, image));
  }

  stop() {
    this.state.work?.stop.abort();
  }

  /** @param {Job[]} jobs @param {(Shown & {height: number, width: number}) | null} start */
  async #run(jobs, start) {
    const { state } = this;
    this.stop();
    if (!jobs.length) return state.note("error", "There is nothing to compare: give values such as 1, 2, 4.");
    const seed = state.ask.seed ?? Math.floor(Math.random() * 2 ** 31);
    const size = /** @type {[number, number]} */ (start ? [start.height, start.width] : state.ask.size);
    const groups = jobs.map((job) => job.wishes.map((wish) => newBoard(job, wish, seed, size ?? undefined, start)));
    const work = { waiting: null, stop: new AbortController() };
    state.show(groups.flat());
    state.work = work;
    state.notice = null;
    this.player.start();
    const ends = await Promise.allSettled(jobs.map((job, i) => this.#follow(job, groups[i], start !== null, work)));
    if (state.work === work) state.work = null;
    const fault = ends.find((end) => end.status === "rejected" && !wasStopped(end.reason));
    if (fault?.status === "rejected") this.#failed(fault.reason);
    state.changed();
  }

  /** @param {unknown} reason */
  #failed(reason) {
    this.state.note("error", reason instanceof Error ? reason.message : String(reason));
    if (!(reason instanceof Fault)) console.error(reason);
  }

  /**
   * One request, event by event.
   * @param {Job} job @param {Board[]} boards @param {boolean} goesOn @param {import("./state.js").Work} work
   */
  async #follow(job, boards, goesOn, work) {
    const request = requestOf(job, boards, goesOn, this.state.ask.size);
    /** @type {Trace[]} */
    let traces = [];
    try {
      for await (const event of this.server.paint(job.model.id, request, work.stop.signal)) {
        if (event.type === "queued") work.waiting = event.ahead;
        else if (event.type === "started") {
          work.waiting = null;
          traces = boards.map((board) => begin(board, event, request.distributions === true));
        } else if (event.type === "pixels") {
          const batch = unpackBatch(event);
          traces.forEach((trace, canvas) => trace.take(batch, canvas));
        } else if (event.type === "finished") this.#finish(boards, traces, event);
        else throw new Fault(event, 200);
        this.state.changed();
      }
      if (traces.some((trace) => !trace.painted))
        throw new Fault({ error: "The painting was cut off: the studio went away or was closed.", code: "gone" }, 200);
    } finally {
      for (const trace of traces) trace.over = true;
    }
  }

  /** @param {Board[]} boards @param {Trace[]} traces @param {Api.Finished} event */
  #finish(boards, traces, event) {
    const { recipe } = event;
    traces.forEach((trace, i) => {
      trace.over = true;
      trace.painted = event.images[i];
      const request = { ...recipe.request, canvases: [recipe.request.canvases[i]] };
      trace.recipe = { ...recipe, request, sha256: [recipe.sha256[i]] };
    });
    this.keep(boards);
  }

  /** Put finished images among those of this sitting. @param {Board[]} boards */
  keep(boards) {
    const named = boards.map((board) => ({ board, name: nameOf(board) }));
    this.state.kept = [...named.reverse(), ...this.state.kept].slice(0, MOST_KEPT);
  }
}

/** What an image of this sitting is called. @param {Board} board */
export const nameOf = (board) => toldInWords(board.told, board.details.conditions) || board.model;

/**
 * @param {Job} job @param {import("./asking.js").Wish} wish @param {number} seed
 * @param {[number, number] | undefined} size @param {Shown | null} start
 * @returns {Board}
 */
function newBoard(job, wish, seed, size, start) {
  const board = blankBoard(job.model.id, /** @type {Api.Details} */ (job.model.details), size);
  const known = start ? start.known : board.known;
  const levels = start ? start.levels : board.levels;
  return { ...board, known, levels, told: wish.told, settings: job.settings, caption: wish.caption, draw: { seed, index: wish.index } };
}

/** @param {Board} board @param {Api.Started} event @param {boolean} distributions */
function begin(board, event, distributions) {
  board.trace = new Trace(board.details.image, event.sequence, event.height * event.width, distributions);
  return board.trace;
}

/** @param {Job} job @param {Board[]} boards @param {boolean} goesOn @param {[number, number] | null} size @returns {Api.PaintRequest} */
function requestOf(job, boards, goesOn, size) {
  const [board] = boards;
  const { channels, levels } = board.details.image;
  const numbers = boards.length * board.height * board.width * channels * levels;
  /** @type {Api.PaintRequest} */
  const request = {
    ...job.settings,
    canvases: boards.map(({ draw, told }) => ({ seed: draw?.seed, index: draw?.index, told })),
    distributions: numbers <= MOST_PROBABILITIES,
  };
  if (!goesOn) return size ? { ...request, size } : request;
  const start = {
    levels: pack(board.levels, [channels, board.height, board.width]),
    known: pack(board.known, [board.height, board.width]),
  };
  return { ...request, start };
}
