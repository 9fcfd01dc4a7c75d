// The program of a grid over an image: the known pixels of a model that completes images, or a hint.
// docs/reference/program_format.md, "Version 6" and "Version 7".

import { check } from "./arithmetic.js";

const MASK = 64; // what a known pixel writes to its mask
/** The image that a part encoded last: candidates of a fill, and the two runs of guidance, have the same one. @type {WeakMap<object, {key: string, map: Int32Array}>} */
const LAST = new WeakMap();

/** What an image writes to the canvas, `[height, width, c]`: of each channel what its level writes, then the mask.
 *  @param {Int8Array} table `[levels, each]` @param {number} each @param {number} channels @param {number} masks
 *  @param {ArrayLike<number | null> | null} known a level or null for each `[channels, height, width]` @param {number} size */
function canvasOf(table, each, channels, masks, known, size) {
  const width = channels * each + masks, result = new Int32Array(size * width);
  if (known) for (let site = 0; site < size; site++) for (let c = 0; c < channels; c++) {
    const level = known[c * size + site];
    if (level == null) continue;
    result.set(table.subarray(level * each, (level + 1) * each), site * width + c * each);
    if (c < masks) result[site * width + channels * each + c] = MASK;
  }
  return result;
}

/** The map `[height, width, c]` of an image, a level or null (unknown) for each `[channels, height, width]`.
 *  @param {import("./pointillist.js").Model} model @param {import("./pointillist.js").Part} part
 *  @param {ArrayLike<number | null> | null} known @param {number} height @param {number} width @param {NonNullable<import("./pointillist.js").Model["grid"]>} run in place of the library */
export function gridMap(model, part, known, height, width, run) {
  const encoder = part.known ?? part.hints, program = /** @type {import("./pointillist.js").Program} */ (part.program);
  check(encoder.image !== null, "a hint of floats");
  const { channels, levels } = encoder.image;
  check(!known || known.length === channels * height * width, "the size of a hint, or of known pixels");
  const key = `${height} ${width} ${known ? Array.from(known).join() : ""}`, last = LAST.get(part);
  if (last?.key === key) return last.map;
  const { data, shape: [, each] } = model.tensor(encoder.weights.levels, "I8", [levels, null]), masks = part.known ? channels : 1;
  check(program.maps[0].channels === channels * each + masks, "the canvas of a hint, or of known pixels");
  const canvas = canvasOf(/** @type {Int8Array} */ (data), each, channels, masks, known, height * width);
  const all = (model.grid ?? run)(program, height, width, canvas), wide = program.params.channels, features = part.rows.shape[3];
  const map = wide === features ? all : all.filter((_, k) => k % wide < features); // logits of marginal probabilities follow
  LAST.set(part, { key, map });
  return map;
}
