// The model of an exported page: its program, the library that runs it, and what the page says of it.

import { Mask } from "../runtime/mask.js";
import { draws, openProgram, prepare } from "../runtime/pointillist.js";
import { promptFeatures } from "../runtime/prompts.js";
import { drawUntilAccepted, openMap, readRules } from "../runtime/rules.js";
import { attributeFeatures, vectorFeatures } from "../runtime/values.js";
import { CompiledPrograms, putArrays } from "../runtime/webassembly.js";
import { inflate } from "../shared/bytes.js";
import { decodeArray } from "../transport/encoded_arrays.js";
import { PromptNames } from "./prompt_names.js";

/**
 * @typedef {object} Contents what `pointillist export` writes into a page
 * @property {string} version of Pointillist @property {string} title @property {string} license @property {Api.ModelInfo} model
 * @property {Api.Limits} limits @property {{places: import("../runtime/webassembly.js").Place[]}[]} programs
 * @property {Record<string, Record<string, number[]>>} prompts features of prompts that only a frozen encoder can read
 * @property {{right: number[][], down: number[][]} | null} pairs of levels that are neighbours in the training maps
 * @property {{missed: string[], words: string, learned: import("./free_prompts.js").WordKinds | null}} captions names that samples seldom showed, the words of all captions, and their kinds if the model has learned them
 * @property {number[]} lengths of the files that follow: `program.json`, its arrays, the library, the lowered programs
 */

/** Read the parts of a page. @param {Uint8Array} bytes @returns {{contents: Contents, files: Uint8Array[]}} */
function partsOf(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  /** @type {Contents} */
  const contents = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let at = 4 + length;
  const files = contents.lengths.map((size) => bytes.slice(at, (at += size)));
  return { contents, files };
}

/** A model that samples without a server. */
export class OfflineModel {
  /** @param {Contents} contents @param {import("../runtime/pointillist.js").Model} model @param {CompiledPrograms | null} compiled */
  constructor(contents, model, compiled) {
    this.contents = contents;
    this.model = model;
    this.compiled = compiled;
    this.details = /** @type {Api.ModelDetails} */ (contents.model.details);
    const { missed, words, learned } = contents.captions;
    this.names = new PromptNames(this.details.generation.recognised, missed, words, learned);
    this.begin = compiled?.begin(model);
  }

  /** Open the model of a page; without WebAssembly it runs in JavaScript. @param {string | Uint8Array} packed base64 of deflated bytes, or the bytes @param {Promise<WebAssembly.Module>} [shared] the library, if it is not in the file @returns {Promise<OfflineModel>} */
  static async open(packed, shared) {
    const { contents, files: [document, arrays, library, ...lowered] } = partsOf(typeof packed === "string" ? await inflate(packed) : packed);
    const model = await openProgram(new TextDecoder().decode(document), arrays);
    let compiled = null;
    try {
      const programs = lowered.map((bytes, n) => putArrays(bytes, contents.programs[n].places, model.tensor));
      compiled = new CompiledPrograms(await (shared ?? WebAssembly.compile(/** @type {BufferSource} */ (library))), programs);
      model.grid = compiled.grid(model);
    } catch (error) {
      console.warn("WebAssembly does not run here; the page paints in JavaScript, more slowly.", error);
    }
    return new OfflineModel(contents, model, compiled);
  }

  /** Run over an image, or draw it. @param {import("../runtime/pointillist.js").Options} options @param {(draw: import("../runtime/pointillist.js").Draw) => boolean | void} take gets each sub-pixel, and ends the run by true
   *  @returns {{levels: Uint16Array, frequencies: Float64Array}} of the image, if the run came to its end */
  run(options, take = () => {}) {
    this.compiled?.release();
    const steps = draws(this.model, options);
    for (let step = steps.next(); ; step = steps.next()) if (step.done || take(step.value)) return /** @type {any} */ (step.value);
  }

  /** Options of `draws` for conditions. @param {Api.ConditionValues} conditions @returns {import("../runtime/pointillist.js").Options} */
  conditions({ label = null, text = null, letters = false, attributes = null, others = {}, hint = null }) {
    const number = typeof label === "string" ? this.details.conditions.labels.indexOf(label) : label, features = this.#features(attributes, others);
    const options = { label: number, hint: hint ? decodeArray(hint) : null, begin: this.begin, ...(Object.keys(features).length ? { features } : null) };
    if (!text?.trim()) return options;
    const prompt = this.names.read(text).text;
    return { ...options, features: { ...features, ...promptFeatures(this.model, prompt), ...(letters ? null : this.tabled(prompt)) } };
  }

  /** Features of attributes and of a vector. @param {Record<string, number | string | null> | null} attributes @param {Record<string, any>} others */
  #features(attributes, { vector = null, ...others }) {
    const { conditions } = this.details, chosen = Object.entries(attributes ?? {}).filter(([, value]) => value !== null), [other] = Object.keys(others);
    if (other !== undefined) throw new Error(`An exported page cannot encode the condition ${other}: use \`pointillist sample --condition ${other}=VALUE\`, or \`pointillist studio\`.`);
    const missing = chosen.find(([name]) => !(name in conditions.attributes))?.[0] ?? (vector !== null && !("vector" in conditions.others) ? "vector" : undefined);
    if (missing !== undefined) throw new Error(`The model has no condition ${missing}: leave it out.`);
    const numbers = [vector ?? []].flat(), count = Number(/^\d+/.exec(conditions.others.vector ?? "")?.[0] ?? 0);
    if (vector !== null && (numbers.length !== count || !numbers.every((each) => typeof each === "number" && Number.isFinite(each)))) throw new Error(`\`vector\` (=${JSON.stringify(vector)}) must be ${conditions.others.vector}.`);
    return { ...(chosen.length ? attributeFeatures(this.model, Object.fromEntries(chosen)) : null), ...(vector === null ? null : vectorFeatures(this.model, numbers)) };
  }

  /** Features of a negative prompt, which is read literally; null for none. @param {string | null | undefined} text */
  negative(text) {
    const prompt = text?.trim();
    if (!prompt) return null;
    if (Object.values(this.contents.prompts).some((table) => !(prompt in table)))
      throw new Error(`This page holds no vector of the negative prompt '${prompt}': take a frequent word of its captions, or use \`pointillist studio\`.`);
    return { ...promptFeatures(this.model, prompt), ...this.tabled(prompt) };
  }

  /** Note of conditions that their prompt is read by its letters alone, as a page holds few vectors of a frozen encoder. @param {Api.ConditionValues} conditions @returns {Api.ConditionValues} */
  asRead(conditions) {
    const prompt = this.names.read(conditions.text ?? "").text.trim();
    const letters = prompt !== "" && Object.values(this.contents.prompts).some((table) => !(prompt in table));
    return letters ? { ...conditions, letters } : conditions;
  }

  /** A sentence for each prompt that is sampled as a name, or that is none, or is read by its letters. @param {Api.ConditionValues[]} conditions @returns {string[]} */
  notes(conditions) {
    const spelled = new Set(conditions.filter((each) => this.asRead(each).letters).map(({ text }) => `'${text?.trim()}'`));
    const note = `${[...spelled].join(", ")} ${spelled.size === 1 ? "is" : "are"} read by ${spelled.size === 1 ? "its" : "their"} letters here: the command line and the studio, which have a sentence encoder, paint another picture.`;
    return [...this.names.notes(conditions.map(({ text }) => text)), ...(spelled.size ? [note] : [])];
  }

  /** What rules need to know of the levels. @returns {import("../runtime/rules.js").Levels} */
  get levels() {
    const { levels: count, level_names: names } = this.details.image;
    return { count, names, pairs: this.contents.pairs };
  }

  /** Open a mask of rules. @type {import("../runtime/mask.js").Open} */
  open = (constraints) => {
    if (!this.compiled) throw new Error("Rules need WebAssembly, and it does not run here: use `pointillist sample --rules`, or `pointillist studio`.");
    return new Mask(this.compiled, this.model, constraints);
  };

  /** Draw a map that obeys rules. @param {import("../runtime/rules.js").Rules} rules @param {import("../runtime/pointillist.js").Options} options */
  drawByRules(rules, options) {
    const { image } = this.details, { height = image.height, width = image.width } = options, read = readRules(rules);
    if (image.channels !== 1) throw new Error(`\`rules\` need grids of one channel, and images of this model have ${image.channels}.`);
    const prepared = prepare(this.model, options); // which checks the numbers
    return drawUntilAccepted(openMap(read, this.levels, height, width, this.open), read.tries, prepared);
  }

  /** Whether the page can read a prompt as the model does: a frozen encoder must have read it before. @param {string} text */
  reads(text) {
    const { prompts } = this.contents;
    return !text.trim() || Object.values(prompts).every((table) => text.trim() in table);
  }

  /** Features of a prompt that a frozen encoder has read. @param {string} text */
  tabled(text) {
    const { prompts } = this.contents, name = text.trim();
    return Object.fromEntries(Object.entries(prompts).flatMap(([part, table]) => (name in table ? [[part, table[name]]] : [])));
  }

  /** Return the name of an order, and its pixels, `row * width + column`, as they are drawn. @param {string | null | undefined} order @param {number} height @param {number} width */
  sequence(order, height, width) {
    const name = order ?? this.details.orders[0];
    const turned = name.includes("-columns"), [rows, columns] = turned ? [width, height] : [height, width];
    const corner = /-(tr|bl|br)$/.exec(name)?.[1] ?? "";
    const pixels = Array.from({ length: height * width }, (_, n) => {
      const row = Math.floor(n / columns), column = name.startsWith("s-curve") && row % 2 ? columns - 1 - (n % columns) : n % columns;
      const [y, x] = turned ? [column, row] : [row, column];
      return (corner.startsWith("b") ? height - 1 - y : y) * width + (corner.endsWith("r") ? width - 1 - x : x);
    });
    if (!(name in this.model.orders)) throw new Error(`The model has no order ${name}.`);
    return { name, pixels, rows };
  }

  /** All pixels in an order: without a name, in the one in which fewest known pixels come after the first unknown one, as `inpaint` chooses it.
   *  @param {ArrayLike<number>} mask known pixels @param {string | null | undefined} order @param {number} height @param {number} width */
  sequenceAround(mask, order, height, width) {
    const late = (/** @type {number[]} */ pixels) => pixels.slice(pixels.findIndex((pixel) => !mask[pixel])).filter((pixel) => mask[pixel]).length;
    const sequences = (order ? [order] : this.details.orders).map((name) => this.sequence(name, height, width));
    return sequences.reduce((best, next) => (late(next.pixels) < late(best.pixels) ? next : best));
  }
}
