// Painting: sends requests to the server, collects their events in traces, and adds finished images to the gallery.

import { encodeArray } from "./encoded_arrays.js";
import { NO_COMPARISON, createJobs, describeConditions } from "../state/paint_jobs.js";
import { isComplete, isStopped, sameGrid, visibleImage } from "../canvas/canvas_model.js";
import { RequestError, isAbort } from "./api.js";
import { PLAIN, begin, divided, newCanvas, requestOf } from "./paint_request.js";
import { decodeBatch } from "../canvas/painting_trace.js";
import { isSamePainting, manifestOf, originOf } from "./manifests.js";
/** @typedef {CanvasImage & {height: number, width: number}} Start an image of which some pixels are known */
/** @typedef {{canvases: Canvas[], starts: boolean}} Group canvases of one request; `starts`: they are partly known */
/** @typedef {"new" | "live" | "aside"} Kind of painting: shown when it begins; in place of what is there; neither shown nor in the gallery */

const MAX_GALLERY = 1000;
const AT_ONCE = 4; // requests of one painting; the server queues few
const LONG = 30; // seconds that a note about a prompt stays
const MAX_LIVE = 4; // canvases that are painted while a hint is drawn

export class Painter {
  /** @param {State} state @param {import("./api.js").Server} server @param {import("../canvas/playback.js").Playback} playback */
  constructor(state, server, playback) {
    this.state = state;
    this.server = server;
    this.playback = playback;
    this.liveSeed = Math.floor(Math.random() * 2 ** 31); // of images that are painted while a hint is drawn
    /** @type {WeakMap<Canvas, string>} ids of what is painted, in the order of the canvases */
    this.ids = new WeakMap();
    /** @type {Set<string>} images of the gallery that the next stroke of the hint replaces */
    this.liveItems = new Set();
  }

  /**
   * Paint new images.
   * @param {{seed?: number | null, index?: number, active?: number, variation?: Api.Variation | null, start?: Start | null}} [picture] `seed`: in place of the seed
   *   of the request; `index`: of the first image; `active`: the canvas that is active
   */
  async paint({ seed = null, index = 0, active = 0, variation = null, start = null } = {}) {
    const { model, request } = this.state;
    if (!model?.details) return;
    const found = this.#jobs(start || variation ? { ...request, ...PLAIN } : request, model);
    if (!found) return;
    for (const job of found.jobs) for (const spec of job.canvases) Object.assign(spec, { variation, index: spec.index + index });
    await this.#run(found.jobs, start, { columns: found.columns, seed, active });
  }

  /** Paint variations of the active canvas. */
  async paintVariations() {
    const { canvas, request } = this.state;
    const model = canvas && this.#modelOf(canvas);
    if (!canvas || !model?.details) return;
    const image = visibleImage(canvas);
    if (!isComplete(image)) return this.state.notify("plain", "The canvas has a hole: fill it before you vary it.");
    const { manifest } = canvas.trace ?? {};
    const sample = manifest && "samples" in manifest.request ? manifest.request.samples[0] : null;
    const plain = sample && !sample.variation && !manifest?.request.start && request.variation.kind !== "regions" && !advanced(canvas.settings);
    const origin = plain ? { seed: sample.seed ?? 0, index: sample.index ?? 0 } : { levels: encodeArray(image.levels, [canvas.details.image.channels, canvas.height, canvas.width]), conditions: canvas.conditions };
    const { strength, kind } = request.variation;
    const found = this.#jobs({ ...request, ...PLAIN, compare: NO_COMPARISON, size: [canvas.height, canvas.width] }, model);
    for (const job of found?.jobs ?? []) for (const spec of job.canvases) Object.assign(spec, { variation: { ...origin, strength, kind }, index: spec.index + 1 });
    if (found) await this.#run(found.jobs, null, { size: [canvas.height, canvas.width] });
  }

  /** List the jobs of a request; an invalid one is a message. @param {import("../state/request.js").Request} request @param {Api.ModelInfo} model */
  #jobs(request, model) {
    try {
      return createJobs(request, model, this.comparableModels());
    } catch (error) {
      this.state.notify("error", error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  /** Paint the changed hint, in place of what is there; the next call cancels it. */
  async paintLive() {
    const { state } = this;
    const { model, request } = state;
    if (!model?.details) return;
    const found = this.#jobs({ ...request, ...PLAIN, count: Math.min(request.count, MAX_LIVE), compare: NO_COMPARISON }, model);
    if (found) await this.#run(found.jobs, null, { live: true });
  }

  /** Paint one image with a seed, without showing it. @param {import("../state/request.js").Request} request @param {Api.ModelInfo} model @param {number} seed @param {AbortController} [stop] */
  async paintAside(request, model, seed, stop = new AbortController()) {
    const [job] = createJobs({ ...request, count: 1, compare: NO_COMPARISON }, model, [model]).jobs;
    const canvas = newCanvas(job, job.canvases[0], seed, request.size ?? undefined, null);
    await this.#follow({ canvases: [canvas], starts: false }, { waiting: null, stop }, "aside");
    return canvas;
  }

  /** Paint images around what is known of them, which `show` may show from their first pixels on. @param {Canvas[]} canvases @param {import("../state/state.js").Work} work @param {() => void} [show] */
  paintAround(canvases, work, show) {
    return this.#follow({ canvases, starts: true }, work, "aside", show);
  }

  /** Go on with the paintings that were stopped: each becomes what it would have become. */
  async continuePainting() {
    const { state } = this;
    const stopped = state.canvases.filter(isStopped);
    if (!stopped.length) return;
    const fresh = new Map(stopped.map((canvas) => {
      const { levels, known } = visibleImage(canvas);
      return /** @type {const} */ ([canvas, { ...canvas, levels: levels.slice(), known: known.slice(), trace: null, verdict: null }]);
    }));
    const canvases = state.canvases.map((canvas) => fresh.get(canvas) ?? canvas);
    /** @type {Map<string, Canvas[]>} */
    const groups = new Map();
    for (const canvas of fresh.values()) {
      const key = JSON.stringify([canvas.model, canvas.settings, Array.from(canvas.known)]);
      groups.set(key, [...(groups.get(key) ?? []), canvas]);
    }
    await this.#paintGroups(canvases, [...groups.values()].map((group) => ({ canvases: group, starts: true })), { active: state.active, columns: state.history.now.columns });
  }

  /** Keep the held pixel, with the chosen levels, and all before it; paint the rest again. @param {import("./queries.js").Queries} queries */
  async repaint(queries) {
    const { heldPixel, canvas } = this.state;
    if (!heldPixel || !canvas) return;
    const maps = await queries.order(canvas).catch((/** @type {unknown} */ error) => this.#failed(error));
    if (!maps) return;
    const image = visibleImage(canvas);
    const size = canvas.known.length;
    const known = new Uint8Array(size);
    for (const pixel of maps.sequence.slice(0, maps.sequence.indexOf(heldPixel.pixel) + 1)) known[pixel] = 1;
    const levels = image.levels.map((level, i) => (known[i % size] ? level : 0));
    heldPixel.choice.forEach((level, c) => (levels[c * size + heldPixel.pixel] = level ?? levels[c * size + heldPixel.pixel]));
    const model = this.#modelOf(canvas);
    if (!model) return;
    const changed = heldPixel.choice.some((level) => level !== null);
    const jobs = this.#jobs({ ...this.state.request, ...PLAIN, order: canvas.settings.order }, model)?.jobs ?? [];
    // the same random numbers would paint the same image again, unless a level was changed
    const first = changed ? 0 : this.#unusedIndex(this.state.request.seed);
    for (const job of jobs) for (const spec of job.canvases) spec.index += first;
    await this.#run(jobs, { levels, known, height: canvas.height, width: canvas.width }, { held: heldPixel.pixel });
  }

  /** Return the model that continues a canvas: the selected one, if it paints such images. @param {Canvas} canvas */
  #modelOf(canvas) {
    const { state } = this;
    const { details } = state;
    const model = details && sameGrid(details.image, canvas.details.image) ? state.model : state.modelOf(canvas);
    if (!model?.details) this.#failed(new RequestError({ error: `The canvas was painted by ${canvas.model}, which is not open here.`, code: "not_found" }, 404));
    return model?.details ? model : null;
  }

  /** Return the first index of a seed that no image of this session has. @param {number | null} seed */
  #unusedIndex(seed) {
    const used = [...this.state.canvases, ...this.state.gallery.map((item) => item.canvas)].filter((canvas) => canvas.rng?.seed === seed);
    return seed === null ? 0 : 1 + Math.max(-1, ...used.map((canvas) => canvas.rng?.index ?? 0));
  }

  /** List models of the same kind of image as the selected one. */
  comparableModels() {
    const image = this.state.details?.image;
    return this.state.models.filter((model) => model.details && image && sameGrid(model.details.image, image));
  }

  stop() {
    this.state.work?.stop.abort();
  }

  /** @param {Job[]} jobs @param {Start | null} start @param {{live?: boolean, columns?: number | null, size?: [number, number], seed?: number | null, held?: number | null, active?: number}} [options] */
  async #run(jobs, start, { live = false, columns = null, size: own, seed: fixed = null, held = null, active = 0 } = {}) {
    const { state } = this;
    this.stop();
    if (!jobs.length) return;
    if (!live) this.liveSeed = Math.floor(Math.random() * 2 ** 31);
    const seed = fixed ?? state.request.seed ?? this.liveSeed;
    const size = /** @type {[number, number]} */ (start ? [start.height, start.width] : (own ?? state.request.size));
    const groups = jobs.map((job) => ({ canvases: job.canvases.map((spec) => newCanvas(job, spec, seed, size ?? undefined, start)), starts: start !== null }));
    const places = jobs.flatMap((job) => job.canvases.map((spec) => spec.place));
    const all = groups.flatMap((group) => group.canvases).map((canvas, i) => ({ canvas, place: places[i] }));
    const canvases = all.sort((a, b) => a.place - b.place).map(({ canvas }) => canvas);
    await this.#paintGroups(canvases, groups, { active: Math.min(active, canvases.length - 1), live, columns, held });
  }

  /**
   * Show canvases and paint them, each group in a job of its own.
   * @param {Canvas[]} canvases @param {Group[]} groups
   * @param {{active?: number, live?: boolean, columns?: number | null, held?: number | null}} options `live`: shown in place of what is there, from the first pixels on; `held`: pixel
   */
  async #paintGroups(canvases, groups, { active = 0, live = false, columns = null, held = null }) {
    const { state } = this;
    this.stop();
    const work = { waiting: null, stop: new AbortController() };
    for (const canvas of canvases) this.ids.set(canvas, newId());
    const show = () => {
      state.live = live;
      if (live) state.showLive(canvases);
      else {
        this.keepDrawings();
        state.show(canvases, active, columns);
        if (held !== null) state.heldPixel = { pixel: held, choice: canvases[0].details.image.channel_names.length ? canvases[0].details.image.channel_names.map(() => null) : [null] };
      }
      this.playback.start();
    };
    if (!live) {
      this.liveItems.clear();
      show();
    }
    state.work = work;
    if (!live) state.notice = null;
    state.changed();
    const results = await inTurn(divided(groups, state.workers), (group) => this.#follow(group, work, live ? "live" : "new", live ? show : undefined));
    if (state.work === work) state.work = null;
    const failed = results.find((result) => result.status === "rejected" && !isAbort(result.reason));
    if (failed?.status === "rejected") {
      if (!live && canvases.every(({ trace }) => trace === null) && state.canvas === canvases[active]) {
        state.history.undo(); // nothing was painted: what was there comes back
        state.resetView();
      }
      this.#failed(failed.reason);
    }
    state.changed();
  }

  /** @param {unknown} reason */
  #failed(reason) {
    this.state.notify("error", reason instanceof Error ? reason.message : String(reason));
    if (!(reason instanceof RequestError)) console.error(reason);
  }

  /**
   * Follow a job, event by event.
   * @param {Group} group @param {import("../state/state.js").Work} work @param {Kind} kind @param {() => void} [show] called with the first pixels
   */
  async #follow({ canvases, starts }, work, kind, show) {
    const request = requestOf(canvases, starts);
    /** @type {PaintingTrace[]} */
    let traces = [];
    try {
      for await (const event of this.server.sample(canvases[0].model, request, work.stop.signal)) {
        if (event.type === "queued") work.waiting = event.ahead;
        else if (event.type === "started") {
          work.waiting = null;
          traces = canvases.map((canvas) => begin(canvas, event, request.distributions === true));
          if (event.notes.length && kind === "new") this.state.notify("plain", event.notes.join(" "), LONG);
        } else if (event.type === "pixels") {
          const batch = decodeBatch(event);
          traces.forEach((trace, index) => trace.take(batch, index));
          if (batch.first === 0) show?.();
        } else if (event.type === "finished") this.#finish(canvases, traces, event, kind);
        else throw new RequestError(event, 200);
        this.state.changed();
      }
      if (traces.some((trace) => !trace.painted))
        throw new RequestError({ error: "The painting was interrupted: the studio stopped or was closed.", code: "offline" }, 200);
    } finally {
      for (const trace of traces) trace.over = true;
    }
  }

  /** @param {Canvas[]} canvases @param {PaintingTrace[]} traces @param {Api.Finished} event @param {Kind} kind */
  #finish(canvases, traces, event, kind) {
    const { manifest } = event;
    traces.forEach((trace, i) => {
      trace.over = true;
      trace.painted = event.images[i];
      trace.manifest = manifestOf(manifest, i);
      if (originOf(manifest, i).conditions.letters) canvases[i].conditions = { ...canvases[i].conditions, letters: true }; // known by the page alone
    });
    if (kind === "aside") return;
    const live = kind === "live";
    if (live) this.state.gallery = this.state.gallery.filter((item) => !this.liveItems.has(item.id) || item.favourite);
    const items = this.addToGallery(canvases);
    if (live) this.liveItems = new Set(items.map((item) => item.id));
    else if (!items.length && this.state.request.seed !== null) this.state.notify("plain", "The same seed and settings paint the same image, so nothing is new: press the dice for other seeds.");
  }

  /** Show another image in place of one of the gallery. @param {Canvas} from @param {Canvas} to */
  exchangeInGallery(from, to) {
    this.state.gallery = this.state.gallery.map((item) => (item.canvas === from ? { ...item, canvas: to } : item));
  }

  /** Add drawings, and paintings that were stopped, to the gallery before something else is shown. */
  keepDrawings() {
    const { state } = this;
    const unfinished = (/** @type {Canvas} */ canvas) => (canvas.trace === null ? canvas.known.includes(1) : isStopped(canvas) && canvas.trace.arrived > 0);
    const drawings = state.canvases.filter((canvas) => unfinished(canvas) && !state.gallery.some((item) => item.canvas === canvas));
    if (drawings.length) this.addToGallery(drawings);
  }

  /** Show an image of the gallery with its settings. @param {Canvas} canvas */
  showAgain(canvas) {
    this.keepDrawings();
    this.state.useSettings(canvas);
    this.state.show([canvas]);
  }

  /** Add images to the gallery; the same painting enters it once. Return the items that are new. @param {Canvas[]} painted */
  addToGallery(painted) {
    const { state } = this;
    const canvases = painted.filter((canvas) => {
      const same = state.gallery.find((item) => isSamePainting(item.canvas, canvas));
      if (same) this.exchangeInGallery(same.canvas, canvas);
      return !same;
    });
    const items = canvases.map((canvas) => ({ id: this.ids.get(canvas) ?? newId(), canvas, name: nameOf(canvas), favourite: false })).reverse();
    const all = [...items, ...state.gallery].sort((a, b) => (a.id < b.id ? 1 : -1)); // as it is read again, whichever worker is done first
    const surplus = all.filter((item) => !item.favourite).slice(Math.max(0, MAX_GALLERY - all.filter((item) => item.favourite).length));
    state.gallery = all.filter((item) => !surplus.includes(item));
    if (surplus.length) state.notify("plain", `The gallery holds ${MAX_GALLERY} images: the oldest that is not a favourite left it. Save those that you want to keep.`);
    return items;
  }
}

/** Return true if an image was drawn in advance, and not from its uniforms alone. @param {Settings} settings */
const advanced = ({ rules, best_of: bestOf, seamless }) => Boolean(rules || bestOf > 1 || seamless);

let serial = 0;
/** Make an id that sorts by time. */
const newId = () => `${Date.now().toString(36)}-${(serial++).toString(36).padStart(4, "0")}`;

/** Name an image of the gallery. @param {Canvas} canvas */
export const nameOf = (canvas) => describeConditions(canvas.conditions, canvas.details.conditions) || (canvas.trace ? canvas.model : "drawing");

/** Work through items, a few at a time. @template T, R @param {T[]} items @param {(item: T) => Promise<R>} act @returns {Promise<PromiseSettledResult<R>[]>} */
async function inTurn(items, act) {
  /** @type {PromiseSettledResult<R>[]} */
  const results = [];
  const left = items.slice();
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      const [result] = await Promise.allSettled([act(item)]);
      results.push(result);
      if (result.status === "rejected") left.length = 0;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}
