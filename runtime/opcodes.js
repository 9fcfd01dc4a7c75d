// Opcodes, by tools/make_opcodes.py from src/pointillist/engine/opcodes: do not edit.

/** Type, axes and range, null for all of the type.
 *  @typedef {[string, string[], number[] | null]} ConstantType */
/** Least and largest number of inputs, and the constants.
 *  @type {Record<string, {inputs: number[], constants: Record<string, ConstantType>}>} */
export const OPCODES = {
  ADD: { inputs: [2, 2], constants: { left: ["I8", ["m"], [-3, 62]], right: ["I8", ["m"], [-3, 62]] } },
  ATTEND: { inputs: [1, 1], constants: { exp: ["I32", ["odd"], [0, 16777216]], factor: ["I64", ["1"], null] } },
  CONSTANT: { inputs: [0, 0], constants: { constant: ["I32", ["m"], [-67108864, 67108864]] } },
  COPY: { inputs: [1, 1], constants: {} },
  CROSS_ATTEND: { inputs: [3, 3], constants: { exp: ["I32", ["odd"], [0, 16777216]], factor: ["I64", ["1"], null], heads: ["I32", ["1"], [1, 1048576]] } },
  GATE: { inputs: [2, 2], constants: { tanh: ["I16", ["odd"], null], sigmoid: ["I16", ["odd"], null], left: ["I8", ["m"], [-4, 62]], right: ["I8", ["m"], [-4, 62]], shift: ["I8", ["m"], [-30, 62]] } },
  GATHER: { inputs: [0, 0], constants: {} },
  INPUT: { inputs: [0, 0], constants: {} },
  LINEAR: { inputs: [1, 2], constants: { matrix: ["I8", ["n", "m"], null], bias: ["I32", ["m"], null], shift: ["I8", ["m"], [-30, 62]] } },
  LOOKUP: { inputs: [1, 1], constants: { table: ["I32", ["odd"], [-1073741824, 1073741824]], shift: ["I8", ["m"], [-4, 62]] } },
  MAP_CONSTANT: { inputs: [0, 0], constants: { numbers: ["I32", ["height", "width", "m"], [-67108864, 67108864]] } },
  MULTIPLY: { inputs: [2, 2], constants: { shift: ["I8", ["m"], [-10, 62]] } },
  NARROW: { inputs: [1, 1], constants: { shift: ["I8", ["m"], [-4, 62]] } },
  NORMALISE: { inputs: [3, 3], constants: { levels: ["I32", ["1"], [2, 65536]] } },
  OFFSET: { inputs: [1, 1], constants: { constant: ["I32", ["m"], [-67108864, 67108864]] } },
  PLACE: { inputs: [2, 2], constants: { levels: ["I32", ["1"], [2, 65536]] } },
  PREDICT: { inputs: [2, 2], constants: { levels: ["I32", ["1"], [2, 65536]] } },
  PROJECT: { inputs: [1, 1], constants: { matrix: ["I16", ["n", "m"], null], bias: ["I64", ["m"], null], shift: ["I8", ["m"], [-62, 62]] } },
  RECTIFIED_LOOKUP: { inputs: [1, 1], constants: { table: ["I32", ["odd"], [-1073741824, 1073741824]], shift: ["I8", ["m"], [-4, 62]] } },
  RELU: { inputs: [1, 1], constants: {} },
  RESCALE: { inputs: [1, 1], constants: { shift: ["I8", ["m"], [-22, 62]] } },
  RMS_NORM: { inputs: [1, 1], constants: { table: ["I16", ["odd"], [0, 32767]], epsilon: ["I32", ["1"], [1, 1073741824]], shift: ["I8", ["m"], [-20, 24]] } },
  SCALE: { inputs: [1, 1], constants: { factor: ["I16", ["m"], null], shift: ["I8", ["m"], [-10, 62]] } },
  SCAN: { inputs: [1, 1], constants: { matrix: ["I8", ["m", "4m"], null], shift: ["I8", ["4m"], [-30, 62]], gate: ["I8", ["4m"], [-4, 62]], tanh: ["I16", ["odd"], [-16384, 16384]], sigmoid: ["I16", ["odd"], [-16384, 16384]], hidden: ["I32", ["m"], [-67108864, 67108864]], cell: ["I32", ["m"], [-67108864, 67108864]] } },
  SHIFT_DOWN: { inputs: [1, 1], constants: {} },
  STORE: { inputs: [1, 1], constants: {} },
  STORE_KV: { inputs: [1, 1], constants: {} },
  UPSAMPLE: { inputs: [0, 0], constants: {} },
};
