// Painting: sends requests to the server, collects their events in traces, and adds finished images to the gallery.

import { encodeArray } from "./encoded_arrays.js";
import { createJobs, describeConditions } from "./paint_jobs.js";
import { blankCanvas, sameGrid, visibleImage } from "./canvas_model.js";
import { RequestError, isAbort } from "./api.js";
import { PaintingTrace, decodeBatch } from "./painting_trace.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./canvas_model.js").Canvas} Canvas */
/** @typedef {import("./canvas_model.js").CanvasImage} CanvasImage */
/** @typedef {import("./paint_jobs.js").Job} Job */

const MAX_PROBABILITIES = 3_000_000; // probabilities to stream with a painting, for the chart during playback
const MAX_GALLERY = 60;

export class Painter {
  /** @param {State} state @param {import("./api.js").Server} server @param {import("./playback.js").Playback} playback */
  constructor(state, server, playback) {
    this.state = state;
    this.server = server;
    this.playback = playback;
  }

  /** Paint new images. */
  async paint() {
    const { model } = this.state;
    if (model?.details) await this.#run(createJobs(this.state.request, model, this.comparableModels()), null);
  }

  /** Paint the unknown pixels of the active canvas. */
  async continuePainting() {
    const { canvas } = this.state;
    if (canvas) await this.continueFrom(visibleImage(canvas, this.state.at), canvas);
  }

  /**
   * Continue an image: known pixels are kept.
   * @param {CanvasImage} start @param {Canvas} canvas that shows it
   */
  async continueFrom(start, canvas) {
    const { state } = this;
    const model = state.model?.details && sameGrid(state.model.details.image, canvas.details.image)
      ? state.model
      : state.models.find((model) => model.id === canvas.model);
    if (model) await this.#run(createJobs(state.request, model, this.comparableModels()), {
        levels: start.levels.slice(), known: start.known.slice(), height: canvas.height, width: canvas.width,
      });
  }

  /** Keep the held pixel, with the chosen levels, and all before it; paint the rest again. @param {import("./queries.js").Queries} queries */
  async repaint(queries) {
    const { heldPixel, canvas } = this.state;
    if (!heldPixel || !canvas) return;
    const maps = await queries.order(canvas);
    if (maps instanceof Error) return this.#failed(maps);
    const image = visibleImage(canvas);
    const size = canvas.known.length;
    const known = new Uint8Array(size);
    for (const pixel of maps.sequence.slice(0, maps.sequence.indexOf(heldPixel.pixel) + 1)) known[pixel] = 1;
    const levels = image.levels.map((level, i) => (known[i % size] ? level : 0));
    heldPixel.choice.forEach((level, c) => (levels[c * size + heldPixel.pixel] = level ?? levels[c * size + heldPixel.pixel]));
    await this.continueFrom({ levels, known }, canvas);
  }

  /** List models of the same kind of image as the selected one. */
  comparableModels() {
    const image = this.state.details?.image;
    return this.state.models.filter((model) => model.details && image && sameGrid(model.details.image, image));
  }

  stop() {
    this.state.work?.stop.abort();
  }

  /** @param {Job[]} jobs @param {(CanvasImage & {height: number, width: number}) | null} start */
  async #run(jobs, start) {
    const { state } = this;
    this.stop();
    if (!jobs.length) return state.notify("error", "There is nothing to compare: give values such as 1, 2, 4.");
    const seed = state.request.seed ?? Math.floor(Math.random() * 2 ** 31);
    const size = /** @type {[number, number]} */ (start ? [start.height, start.width] : state.request.size);
    const groups = jobs.map((job) => job.canvases.map((spec) => newCanvas(job, spec, seed, size ?? undefined, start)));
    const work = { waiting: null, stop: new AbortController() };
    state.show(groups.flat());
    state.work = work;
    state.notice = null;
    this.playback.start();
    const results = await Promise.allSettled(jobs.map((job, i) => this.#follow(job, groups[i], start !== null, work)));
    if (state.work === work) state.work = null;
    const failed = results.find((result) => result.status === "rejected" && !isAbort(result.reason));
    if (failed?.status === "rejected") this.#failed(failed.reason);
    state.changed();
  }

  /** @param {unknown} reason */
  #failed(reason) {
    this.state.notify("error", reason instanceof Error ? reason.message : String(reason));
    if (!(reason instanceof RequestError)) console.error(reason);
  }

  /**
   * Follow a job, event by event.
   * @param {Job} job @param {Canvas[]} canvases @param {boolean} continues @param {import("./state.js").Work} work
   */
  async #follow(job, canvases, continues, work) {
    const request = requestOf(job, canvases, continues, this.state.request.size);
    /** @type {PaintingTrace[]} */
    let traces = [];
    try {
      for await (const event of this.server.sample(job.model.id, request, work.stop.signal)) {
        if (event.type === "queued") work.waiting = event.ahead;
        else if (event.type === "started") {
          work.waiting = null;
          traces = canvases.map((canvas) => begin(canvas, event, request.distributions === true));
        } else if (event.type === "pixels") {
          const batch = decodeBatch(event);
          traces.forEach((trace, index) => trace.take(batch, index));
        } else if (event.type === "finished") this.#finish(canvases, traces, event);
        else throw new RequestError(event, 200);
        this.state.changed();
      }
      if (traces.some((trace) => !trace.painted))
        throw new RequestError({ error: "The painting was interrupted: the studio stopped or was closed.", code: "offline" }, 200);
    } finally {
      for (const trace of traces) trace.over = true;
    }
  }

  /** @param {Canvas[]} canvases @param {PaintingTrace[]} traces @param {Api.Finished} event */
  #finish(canvases, traces, event) {
    const { manifest } = event;
    traces.forEach((trace, i) => {
      trace.over = true;
      trace.painted = event.images[i];
      const request = { ...manifest.request, samples: [manifest.request.samples[i]] };
      trace.manifest = { ...manifest, request, sha256: [manifest.sha256[i]] };
    });
    this.addToGallery(canvases);
  }

  /** Add finished images to the gallery. @param {Canvas[]} canvases */
  addToGallery(canvases) {
    const named = canvases.map((canvas) => ({ canvas, name: nameOf(canvas) }));
    this.state.gallery = [...named.reverse(), ...this.state.gallery].slice(0, MAX_GALLERY);
  }
}

/** Name an image of the gallery. @param {Canvas} canvas */
export const nameOf = (canvas) => describeConditions(canvas.conditions, canvas.details.conditions) || canvas.model;

/**
 * @param {Job} job @param {import("./paint_jobs.js").CanvasSpec} spec @param {number} seed
 * @param {[number, number] | undefined} size @param {CanvasImage | null} start
 * @returns {Canvas}
 */
function newCanvas(job, spec, seed, size, start) {
  const canvas = blankCanvas(job.model.id, /** @type {Api.ModelDetails} */ (job.model.details), size);
  const known = start ? start.known : canvas.known;
  const levels = start ? start.levels : canvas.levels;
  return { ...canvas, known, levels, conditions: spec.conditions, settings: job.settings, caption: spec.caption, rng: { seed, index: spec.index } };
}

/** @param {Canvas} canvas @param {Api.Started} event @param {boolean} distributions */
function begin(canvas, event, distributions) {
  canvas.trace = new PaintingTrace(canvas.details.image, event.sequence, event.height * event.width, distributions);
  return canvas.trace;
}

/** @param {Job} job @param {Canvas[]} canvases @param {boolean} continues @param {[number, number] | null} size @returns {Api.SampleRequest} */
function requestOf(job, canvases, continues, size) {
  const [canvas] = canvases;
  const { channels, levels } = canvas.details.image;
  const numbers = canvases.length * canvas.height * canvas.width * channels * levels;
  /** @type {Api.SampleRequest} */
  const request = {
    ...job.settings,
    samples: canvases.map(({ rng, conditions }) => ({ seed: rng?.seed, index: rng?.index, conditions })),
    distributions: numbers <= MAX_PROBABILITIES,
  };
  if (!continues) return size ? { ...request, size } : request;
  const start = {
    levels: encodeArray(canvas.levels, [channels, canvas.height, canvas.width]),
    known: encodeArray(canvas.known, [canvas.height, canvas.width]),
  };
  return { ...request, start };
}
