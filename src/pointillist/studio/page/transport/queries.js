// Queries about pixels, one at a time: while the pointer moves on, only the latest query is sent.

import { encodeArray } from "./encoded_arrays.js";
import { visibleImage } from "../canvas/canvas_model.js";

/** Sends one query at a time, and of those that wait only the latest. Results are kept as long as the object that they are about: a canvas, or the details of a model. */
export class LatestOnlyQueue {
  /** @type {WeakMap<object, Map<string, any>>} */
  #results = new WeakMap();
  /** @type {{about: object, key: string} | null} the query that runs */
  #running = null;
  /** @type {(() => void) | null} */
  #next = null;

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  /** Return the result, or null while the query runs. @param {object} about @param {string} key @param {() => Promise<any>} send */
  get(about, key, send) {
    const known = this.#results.get(about)?.get(key);
    if (known !== undefined) return known;
    const go = () => this.#go(about, key, send);
    if (!this.#running) go();
    else if (this.#running.about !== about || this.#running.key !== key) this.#next = go;
    return null;
  }

  /** @param {object} about @param {string} key @param {() => Promise<any>} send */
  async #go(about, key, send) {
    this.#running = { about, key };
    this.#next = null;
    const result = await send().catch((/** @type {unknown} */ error) => (error instanceof Error ? error : new Error(String(error))));
    this.#results.set(about, (this.#results.get(about) ?? new Map()).set(key, result));
    this.#running = null;
    const next = /** @type {(() => void) | null} */ (this.#next);
    if (next) next();
    this.changed();
  }
}

export class Queries {
  /** @type {Map<string, LatestOnlyQueue>} by route */
  #queues = new Map();

  /** @param {State} state @param {import("./api.js").Server} server */
  constructor(state, server) {
    this.state = state;
    this.server = server;
  }

  /** Return the id of the open model that a canvas belongs to. @param {Canvas} canvas */
  #model(canvas) {
    const model = this.state.modelOf(canvas);
    if (!model) throw new Error(`This canvas was painted by ${canvas.model}, which is not open here: start the studio with it to ask about pixels.`);
    return model.id;
  }

  /**
   * Ask about a canvas; null while the query runs.
   * @template {keyof Routes} R @param {R} route @param {Canvas} canvas @param {() => Routes[R][0]} query @param {unknown} [key] of several queries about it @param {object} [about] what the result is kept with
   * @returns {Routes[R][1] | Error | null}
   */
  #ask(route, canvas, query, key = "", about = canvas) {
    const queue = this.#queues.get(route) ?? new LatestOnlyQueue(() => this.state.changed());
    this.#queues.set(route, queue);
    return queue.get(about, JSON.stringify(key), async () => this.server.ask(this.#model(canvas), route, query()));
  }

  /** Query the distributions of a pixel. @param {Canvas} canvas @param {number} pixel */
  pixel(canvas, pixel) {
    const { guidance, temperature, top_p } = canvas.settings;
    return this.#ask("pixel", canvas, () => ({ ...imageQuery(canvas), ...placeOf(canvas, pixel), guidance, temperature, top_p }), pixel);
  }

  /** Query the saliency map of a pixel. @param {Canvas} canvas @param {number} pixel */
  saliency(canvas, pixel) {
    return this.#ask("saliency", canvas, () => ({ ...imageQuery(canvas), ...placeOf(canvas, pixel) }), pixel);
  }

  /** Query the surprisal maps of an image. @param {Canvas} canvas */
  score(canvas) {
    return this.#ask("score", canvas, () => imageQuery(canvas));
  }

  /** Query the generation order of an image. @param {Canvas} canvas @returns {Promise<Api.ScoreMaps>} */
  async order(canvas) {
    return this.server.ask(this.#model(canvas), "score", imageQuery(canvas));
  }

  /** Query the effect of setting a pixel to other levels. @param {Canvas} canvas @param {number} pixel @param {number[]} levels */
  edit(canvas, pixel, levels) {
    const edits = levels.map((level, channel) => ({ ...placeOf(canvas, pixel), channel, level }));
    return this.#ask("edit", canvas, () => ({ ...imageQuery(canvas), edits }), [pixel, levels]);
  }

  /** Query the receptive field of a pixel, the same for all images of a model and a size. @param {Canvas} canvas @param {number} pixel */
  field(canvas, pixel) {
    const { height, width, settings: { order } } = canvas, query = { height, width, ...placeOf(canvas, pixel), order };
    return this.#ask("field", canvas, () => query, query, canvas.details);
  }

  /** Query the bits of an image after each layer. @param {Canvas} canvas */
  layers(canvas) {
    return this.#ask("layers", canvas, () => imageQuery(canvas));
  }

  /** Query the bits that each word of the prompt of an image saves, or a word against another. @param {Canvas} canvas @param {Api.WordExchange | null} [exchange] */
  words(canvas, exchange = null) {
    return this.#ask("words", canvas, () => ({ ...imageQuery(canvas), exchange }), exchange);
  }

  /** Query an activation for an image. @param {Canvas} canvas @param {string | null} name */
  activation(canvas, name) {
    return this.#ask("activation", canvas, () => ({ ...imageQuery(canvas), name }), name);
  }
}

/** @param {Canvas} canvas @param {number} pixel */
const placeOf = ({ width }, pixel) => ({ row: Math.floor(pixel / width), column: pixel % width });

/** Make the part that all queries share. @param {Canvas} canvas @returns {Api.CanvasQuery} */
function imageQuery(canvas) {
  const { conditions, settings: { order }, details, height, width } = canvas;
  return { levels: encodeArray(visibleImage(canvas).levels, [details.image.channels, height, width]), conditions, order };
}
