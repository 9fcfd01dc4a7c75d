// Answers of an exported page to the requests of docs/reference/studio_api.md, without a server.

import { transform } from "../runtime/pointillist.js";
import { World } from "../runtime/world.js";
import { png } from "../transport/picture_files.js";
import { blankLevels, decodeArray, encodeArray } from "../transport/encoded_arrays.js";
import { divergence, probabilities, subPixel } from "../canvas/distributions.js";
import { Painting, Score, nameOfQuery } from "./painting.js";
import { wordMaps } from "./word_maps.js";

const ELSEWHERE = "An exported page cannot do this: `pointillist studio` can.";

export class Answers {
  /** @param {OfflineModel} opened */
  constructor(opened) {
    this.opened = opened;
    this.painting = new Painting(opened);
    /** @type {{name: string, map: World} | null} */
    this.world = null;
  }

  /**
   * Answer a request: JSON, a file, or events, one a line.
   * @param {string} address @param {any} body @param {(event: Api.Event) => void} emit @param {() => Promise<boolean>} stopped
   * @returns {Promise<object | Blob | null>} null after events
   */
  async answer(address, body, emit, stopped) {
    const { details, contents: { version, limits, model } } = this.opened;
    switch (/(\w+)(?:\?.*)?$/.exec(address)?.[1]) {
      case "info": return { version, limits, models: [model], run: null };
      case "sample": return this.#events(body, emit, stopped);
      case "fill": return this.painting.fill(body);
      case "reproduce": return this.painting.reproduce(body);
      case "score": return this.#score(body);
      case "pixel": return this.#pixel(body);
      case "edit": return this.#edit(body);
      case "words": return wordMaps(this.opened, body, (query, take) => this.#over(query, take));
      case "prompt": return { prompt: this.opened.names.read(body.text).text, notes: this.opened.notes([body]) };
      case "world": return this.#world(body);
      case "png": return png(details.image, body);
      default: throw new Error(ELSEWHERE);
    }
  }

  /** @param {Api.SampleRequest} request @param {(event: Api.Event) => void} emit @param {() => Promise<boolean>} stopped */
  async #events(request, emit, stopped) {
    try {
      await this.painting.sample(request, emit, stopped);
    } catch (error) {
      emit({ type: "failed", error: error instanceof Error ? error.message : String(error), code: "invalid" });
    }
    return null;
  }

  /** Run over an image, with guidance where it is given. @param {Api.CanvasQuery} query @param {(draw: Draw) => boolean | void} take may end it @param {number} [guidance] */
  #over({ levels, conditions = {}, order }, take, guidance = 1) {
    const { opened } = this, [, height, width] = levels.shape, { name } = opened.sequence(order, height, width);
    opened.run({ ...opened.conditions(conditions), observed: Array.from(decodeArray(levels)), order: name, height, width, guidance, all: true }, take);
  }

  /** Score an image; a candidate that was just drawn is scored already. @param {Api.CanvasQuery} query @returns {Api.ScoreMaps} */
  #score(query) {
    const [, height, width] = query.levels.shape, { name, pixels } = this.opened.sequence(query.order, height, width);
    const drawn = this.painting.scores.get(nameOfQuery({ ...query, conditions: this.opened.asRead(query.conditions ?? {}) }, name));
    const score = drawn ?? new Score(query.levels.shape);
    if (!drawn) this.#over(query, (draw) => score.take(draw));
    return score.maps(pixels);
  }

  /** @param {Api.WorldQuery & {around?: {x: number, y: number, levels: Api.EncodedArray}[]}} query `around`: chunks that other workers drew @returns {Api.WorldTiles} */
  #world({ seed, row, column, height, width, rules = null, around = [] }) {
    const { model, begin, compiled, details, levels, open } = this.opened, name = JSON.stringify([seed, rules]);
    const settings = { begin, levels, open, rules, ready: () => compiled?.release() };
    this.world = this.world?.name === name ? this.world : { name, map: new World(model, seed, settings) };
    for (const chunk of around) this.world.map.keep(chunk.x, chunk.y, Uint16Array.from(decodeArray(chunk.levels)));
    const drawn = blankLevels(details.image, height * width);
    drawn.set(this.world.map.tiles(row, column, height, width));
    return { levels: encodeArray(drawn, [1, height, width]) };
  }

  /** @param {Api.PixelQuery} query @returns {Api.PixelDistribution} */
  #pixel(query) {
    const { row, column, guidance = 1, temperature = 1, top_p: topP = 1 } = query, { image } = this.opened.details;
    const [, height, width] = query.levels.shape, plain = guidance === 1 && temperature === 1 && topP === 1;
    /** @type {Api.SubPixel[]} */
    const channels = [];
    this.#over(query, ({ at, frequencies, reference, level }) => {
      if (at % (height * width) !== row * width + column || !frequencies) return channels.length === image.channels;
      const sampling = plain ? null : probabilities(transform(frequencies, reference, guidance, temperature, topP));
      channels.push(subPixel(image, channels.length, probabilities(frequencies), level, sampling));
      return channels.length === image.channels;
    }, guidance);
    return { row, column, channels };
  }

  /** @param {Api.EditQuery} query @returns {Api.EditEffect} */
  #edit(query) {
    const shape = query.levels.shape, [, height, width] = shape, levels = decodeArray(query.levels).slice();
    for (const { row, column, channel = 0, level } of query.edits) levels[(channel * height + row) * width + column] = level;
    /** @type {Float64Array[]} */
    const before = [], shift = new Float32Array(levels.length), surprisal = new Float32Array(levels.length);
    let first = 0, second = 0;
    this.#over(query, ({ at, frequencies, level }) => {
      before[at] = probabilities(/** @type {Float64Array} */ (frequencies));
      first -= Math.log2(before[at][level]);
    });
    const edited = encodeArray(levels, shape);
    this.#over({ ...query, levels: edited }, ({ at, frequencies, level }) => {
      const probs = probabilities(/** @type {Float64Array} */ (frequencies));
      shift[at] = divergence(before[at], probs);
      surprisal[at] = -Math.log2(probs[level]);
      second += surprisal[at];
    });
    return { levels: edited, bits_before: first, bits_after: second, bits_change: second - first, surprisal: encodeArray(surprisal, shape), shift: encodeArray(shift, shape) };
  }
}
