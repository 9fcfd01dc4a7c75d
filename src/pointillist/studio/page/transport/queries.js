// Queries about pixels, one at a time: while the pointer moves on, only the latest query is sent.

import { encodeArray } from "./encoded_arrays.js";
import { imageQueryOf, visibleImage } from "../canvas/canvas_model.js";

/** @typedef {import("../state/state.js").State} State */
/** @typedef {import("../canvas/canvas_model.js").Canvas} Canvas */

/**
 * Results of one kind of query, kept as long as the object that they are about: a canvas, or the details of a model.
 * @template T
 */
class QueryCache {
  /** @type {WeakMap<object, Map<string, T | Error>>} */
  #results = new WeakMap();

  /** @param {object} about @param {string} key */
  get(about, key) {
    return this.#results.get(about)?.get(key);
  }

  /** @param {object} about @param {string} key @param {T | Error} result */
  set(about, key, result) {
    const found = this.#results.get(about) ?? new Map();
    this.#results.set(about, found.set(key, result));
  }
}

/**
 * Sends one query at a time, and of those that wait only the latest.
 * @template T
 */
class LatestOnlyQueue {
  /** @type {QueryCache<T>} */
  #cache = new QueryCache();
  /** @type {{about: object, key: string} | null} the query that runs */
  #running = null;
  /** @type {(() => void) | null} */
  #next = null;

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  /**
   * Return the result, or null while the query runs.
   * @param {object} about @param {string} key @param {() => Promise<T>} send
   * @returns {T | Error | null}
   */
  get(about, key, send) {
    const known = this.#cache.get(about, key);
    if (known !== undefined) return known;
    const go = () => this.#go(about, key, send);
    if (!this.#running) go();
    else if (this.#running.about !== about || this.#running.key !== key) this.#next = go;
    return null;
  }

  /** @param {object} about @param {string} key @param {() => Promise<T>} send */
  async #go(about, key, send) {
    this.#running = { about, key };
    this.#next = null;
    const result = await send().catch((/** @type {unknown} */ error) => (error instanceof Error ? error : new Error(String(error))));
    this.#cache.set(about, key, result);
    this.#running = null;
    const next = /** @type {(() => void) | null} */ (this.#next);
    if (next) next();
    this.changed();
  }
}

export class Queries {
  /** @param {State} state @param {import("./api.js").Server} server */
  constructor(state, server) {
    this.state = state;
    this.server = server;
    const changed = () => state.changed();
    /** @type {LatestOnlyQueue<Api.PixelDistribution>} */
    this.pixels = new LatestOnlyQueue(changed);
    /** @type {LatestOnlyQueue<Api.Saliency>} */
    this.saliencies = new LatestOnlyQueue(changed);
    /** @type {LatestOnlyQueue<Api.ScoreMaps>} */
    this.maps = new LatestOnlyQueue(changed);
    /** @type {LatestOnlyQueue<Api.EditEffect>} */
    this.edits = new LatestOnlyQueue(changed);
    /** @type {LatestOnlyQueue<Api.FieldReach>} */
    this.fields = new LatestOnlyQueue(changed);
    /** @type {LatestOnlyQueue<Api.LayerReadings>} */
    this.readings = new LatestOnlyQueue(changed);
    /** @type {LatestOnlyQueue<Api.WordMaps>} */
    this.wordMaps = new LatestOnlyQueue(changed);
    /** @type {LatestOnlyQueue<Api.ActivationMap>} */
    this.activations = new LatestOnlyQueue(changed);
    /** @type {LatestOnlyQueue<Api.AnomalyMap>} */
    this.anomalies = new LatestOnlyQueue(changed);
  }

  /** Return the id of the open model that a canvas belongs to. @param {Canvas} canvas */
  #model(canvas) {
    const model = this.state.modelOf(canvas);
    if (!model) throw new Error(`This canvas was painted by ${canvas.model}, which is not open here: start the studio with it to ask about pixels.`);
    return model.id;
  }

  /** Query the distributions of a pixel. @param {Canvas} canvas @param {number} pixel */
  pixel(canvas, pixel) {
    const { guidance, temperature, top_p } = canvas.settings;
    const position = { row: Math.floor(pixel / canvas.width), column: pixel % canvas.width };
    const send = async () => this.server.pixel(this.#model(canvas), { ...this.#imageQuery(canvas), ...position, guidance, temperature, top_p });
    return this.pixels.get(canvas, String(pixel), send);
  }

  /** Query the saliency map of a pixel. @param {Canvas} canvas @param {number} pixel */
  saliency(canvas, pixel) {
    const position = { row: Math.floor(pixel / canvas.width), column: pixel % canvas.width };
    return this.saliencies.get(canvas, String(pixel), async () => this.server.saliency(this.#model(canvas), { ...this.#imageQuery(canvas), ...position }));
  }

  /** Query the surprisal maps of an image. @param {Canvas} canvas */
  score(canvas) {
    return this.maps.get(canvas, "", async () => this.server.score(this.#model(canvas), this.#imageQuery(canvas)));
  }

  /** Query the generation order of an image. @param {Canvas} canvas @returns {Promise<Api.ScoreMaps | Error>} */
  async order(canvas) {
    try {
      return await this.server.score(this.#model(canvas), this.#imageQuery(canvas));
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** Query the effect of setting a pixel to other levels. @param {Canvas} canvas @param {number} pixel @param {number[]} levels */
  edit(canvas, pixel, levels) {
    const [row, column] = [Math.floor(pixel / canvas.width), pixel % canvas.width];
    const edits = levels.map((level, channel) => ({ row, column, channel, level }));
    const send = async () => this.server.edit(this.#model(canvas), { ...this.#imageQuery(canvas), edits });
    return this.edits.get(canvas, `${pixel}:${levels.join()}`, send);
  }

  /** Query the receptive field of a pixel, the same for all images of a model and a size. @param {Canvas} canvas @param {number} pixel */
  field(canvas, pixel) {
    const { height, width, settings: { order } } = canvas;
    const query = { height, width, row: Math.floor(pixel / width), column: pixel % width, order };
    return this.fields.get(canvas.details, JSON.stringify(query), async () => this.server.field(this.#model(canvas), query));
  }

  /** Query the bits of an image after each layer. @param {Canvas} canvas */
  layers(canvas) {
    return this.readings.get(canvas, "", async () => this.server.layers(this.#model(canvas), this.#imageQuery(canvas)));
  }

  /** Query the bits that each word of the prompt of an image saves, or a word against another. @param {Canvas} canvas @param {Api.WordExchange | null} [exchange] */
  words(canvas, exchange = null) {
    return this.wordMaps.get(canvas, JSON.stringify(exchange), async () => this.server.words(this.#model(canvas), { ...this.#imageQuery(canvas), exchange }));
  }

  /** Query an activation for an image. @param {Canvas} canvas @param {string | null} name */
  activation(canvas, name) {
    return this.activations.get(canvas, name ?? "", async () => this.server.activation(this.#model(canvas), { ...this.#imageQuery(canvas), name }));
  }

  /** Query the verdict of the model's anomaly detector on an image; the error 404 is that there is none. @param {Canvas} canvas */
  anomaly(canvas) {
    return this.anomalies.get(canvas, "", () => this.server.anomaly(this.#model(canvas), { levels: this.#imageQuery(canvas).levels }));
  }

  /** @param {Canvas} canvas */
  #imageQuery(canvas) {
    const shape = [canvas.details.image.channels, canvas.height, canvas.width];
    return imageQueryOf(canvas, encodeArray(visibleImage(canvas).levels, shape));
  }
}
