// Run integer programs: a second implementation, after docs/reference/program_format.md and nothing else.
//
//   const model = await openProgram(textOfProgramJson, bytesOfProgramSafetensors);
//   const { levels } = sample(model, { seed: 7, label: "3", guidance: 2 }); // Uint16Array [channels, height, width]
//
// Numbers of JavaScript hold integers up to 2^53. Where the format needs 64 bits, a product is taken in two parts, or in
// BigInt. Nothing here depends on the processor, the browser or a library.

/** @typedef {Int8Array | Uint8Array | Int16Array | Int32Array | BigInt64Array | Float32Array | Float64Array} Numbers */
/** @typedef {{dtype: string, shape: number[], data: Numbers, bytes: Uint8Array}} Tensor */
/** @typedef {(name: any, dtype: string, shape: (number | null)[]) => Tensor} TensorReader */
/** @typedef {{value: number, start: number, channels: number}} View */
/** @typedef {{channels: number, phase: number, depth: number, scale: number, dtype: string}} Value */
/** @typedef {{channels: number, scale: number, above: any, left: any, heads: number, keys: number}} FeatureMap */
/** @typedef {{op: string, out: View | null, inputs: View[], c: Record<string, any>, map: number, taps: number[][], key: string,
 *   parity: number | null}} Instruction */
/** @typedef {{kind: string, channels: number, levels: number, mixtures: number, precision: number, tables: any, least: number}} Head */
/** @typedef {{subSteps: number, canvasWidth: number, canvasValues: any, sCurve: boolean, values: Value[], maps: FeatureMap[],
 *   inputs: Record<string, {kind: string, channels: number, unit: any}>, code: Instruction[][], params: View, head: Head}} Program */
/** @typedef {{name: string, kind: string, rows: Tensor, names: string[], prompts: any, tokens: any, hints: any, known: any, program: Program | null}} Part */
/** @typedef {{image: {channels: number, height: number, width: number, levels: number}, fixedSize: boolean, fingerprint: string,
 *   orders: Record<string, number>, parts: Part[][], programs: Program[], tensor: TensorReader,
 *   grid?: (program: Program, height: number, width: number, canvas: Int32Array) => Int32Array}} Model `grid` of a library runs programs of hints and known pixels faster than `Run` */
/** @typedef {{name: string, columns: boolean, bottom: boolean, right: boolean}} Order */
/** @typedef {Record<string, Int32Array>} Inputs conditions: `[channels]`, or `[rows, columns, channels]` of the raster frame */
/** @typedef {{row: number, column: number, step: number, readonly done: boolean, frequencies(): Float64Array,
 *   intervals(): import("./local_gain.js").Intervals | null, observe(level: number): void}} Steps */
/** @typedef {(program: Program, height: number, width: number, inputs: Inputs) => Steps} Begin */

import { POWERS, check, clamp, largest, lookup, mulShift, shift } from "./arithmetic.js";
import { attend, existing } from "./attention.js";
import { factored } from "./factored.js";
import { gridMap } from "./grid.js";
import { LOCAL_GAIN, intervals, mixture, standardTables } from "./local_gain.js";
import { OPCODES } from "./opcodes.js";

const LIMIT = 2 ** 26, [IMAGE, ROW, SITE, POST_DRAW] = [0, 1, 2, 3];
export const MASK = (1n << 64n) - 1n;
/** @type {Record<string, number[]>} */
const RANGES = { I8: [-128, 127], U8: [0, 255], I32: [-LIMIT, LIMIT] };

// ---- files ----
/** CRC-32C, or CRC-32 by its polynomial. @param {Uint8Array} bytes @param {number} polynomial */
export function crc32(bytes, polynomial = 0x82f63b78) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
/** @param {Uint8Array[]} parts @returns {Uint8Array<ArrayBuffer>} */
export const joined = (...parts) => {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((start, part) => (result.set(part, start), start + part.length), 0);
  return result;
};
/** @param {Uint8Array} bytes */
export const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
/** Write JSON with sorted keys, as the fingerprint needs it. @param {any} value @returns {string} */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(", ")}]`;
  if (value !== null && typeof value === "object")
    return `{${Object.keys(value).sort().map((key) => `${canonical(key)}: ${canonical(value[key])}`).join(", ")}}`;
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
/** @type {Record<string, [string, any]>} */
const DTYPES = {
  I8: ["|i1", Int8Array], U8: ["|u1", Uint8Array], I16: ["<i2", Int16Array], I32: ["<i4", Int32Array],
  I64: ["<i8", BigInt64Array], F32: ["<f4", Float32Array], F64: ["<f8", Float64Array],
};
/** Read a safetensors file. @param {Uint8Array} file @returns {Record<string, Tensor>} */
function readTensors(file) {
  check(file.length >= 8, "it has no header");
  const first = 8 + Number(new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true));
  check(first <= file.length, "its header is cut off");
  const { __metadata__: _, ...header } = JSON.parse(new TextDecoder().decode(file.subarray(8, first)));
  return Object.fromEntries(Object.entries(header).map(([name, { dtype, shape, data_offsets: [from, to] }]) => {
    check(dtype in DTYPES && 0 <= from && from <= to && first + to <= file.length, `tensor ${name}`);
    const kind = DTYPES[dtype][1], bytes = file.slice(first + from, first + to);
    const size = shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, kind.BYTES_PER_ELEMENT);
    check(size === bytes.length, `the size of tensor ${name}`);
    return [name, { dtype, shape, bytes, data: new kind(bytes.buffer) }];
  }));
}
/** Open a program, and check it. @param {string} json @param {Uint8Array} file @returns {Promise<Model>} */
export async function openProgram(json, file) {
  const { format, format_version: version, fingerprint, weights: _, ...document } = JSON.parse(json);
  check(format === "pointillist-program" && [1, 2, 3, 4, 5, 6, 7].includes(version), `format ${format}, version ${version}`);
  const tensors = readTensors(file), encoder = new TextEncoder();
  /** @type {Uint8Array[]} */
  const hashed = [encoder.encode(canonical(document))];
  for (const name of Object.keys(tensors).sort()) {
    const { dtype, shape, bytes } = tensors[name], comma = shape.length === 1 ? "," : "";
    hashed.push(encoder.encode(`${name} ${DTYPES[dtype][0]} (${shape.join(", ")}${comma});`), bytes);
  }
  const digest = await crypto.subtle.digest("SHA-256", joined(...hashed));
  check(hex(new Uint8Array(digest)) === fingerprint, "its fingerprint is wrong");
  /** @type {TensorReader} */
  const tensor = (name, dtype, shape) => {
    const one = tensors[name];
    check(one && one.dtype === dtype && one.shape.length === shape.length, `tensor ${name}`);
    check(shape.every((size, axis) => size === null || size === one.shape[axis]), `the shape of tensor ${name}`);
    return one;
  };
  const programs = document.programs.map((/** @type {any} */ one) => readProgram(one, tensor));
  const parts = document.parts.map((/** @type {any[]} */ list) => list.map((part) => {
    const rows = tensor(part.rows, "I32", part.kind === "map" ? [null, null, null, null] : [null, null]);
    check(rows.shape[0] >= Math.max(1, part.names.length), `the rows of ${part.name}`);
    const program = part.program ? readProgram(part.program, tensor) : null, { params = null, values = [], maps = [] } = program ?? {};
    check(!program === !(part.known ?? part.hints), `the program of ${part.name}`);
    check(!params || ([0, part.known?.image.levels].includes(params.channels - rows.shape[3]) && params.channels === values[params.value].channels), `the map of ${part.name}`);
    check(!program || (program.head === null && maps.every(({ scale }) => scale === 1)), `the grid of ${part.name}`);
    return { ...part, rows, program };
  }));
  for (const order of Object.values(document.orders)) check(order < programs.length && order < parts.length, "an order");
  const { image, fixed_size: fixedSize, orders } = document;
  return { image, fixedSize, fingerprint, orders, parts, programs, tensor };
}

/** @param {any} one @param {TensorReader} tensor @returns {Program} */
function readProgram(one, tensor) {
  /** @type {Value[]} */
  const values = one.values.map((/** @type {number[]} */ [channels, phase, depth, scale, narrow, signed]) =>
    ({ channels, phase, depth, scale, dtype: !narrow ? "I32" : signed ? "I8" : "U8" }));
  const maps = one.maps.map((/** @type {any} */ map) => ({
    channels: map.channels, scale: map.scale, heads: map.num_heads ?? 0, keys: map.key_channels ?? 0,
    above: map.initial_above == null ? null : tensor(map.initial_above, "I32", [map.channels]).data,
    left: map.initial_left == null ? null : tensor(map.initial_left, "I32", [map.channels]).data,
  }));
  /** @param {number[]} numbers @returns {View} */
  const viewOf = ([value, start, channels]) => {
    check(value < values.length && start + channels <= values[value].channels, `value ${value}`);
    return { value, start, channels };
  };
  /** @param {any} raw @param {number} phase @returns {Instruction} */
  const instructionOf = (raw, phase) => {
    const { inputs: [least, most], constants: due } = OPCODES[raw.op] ?? { inputs: [], constants: {} }, names = Object.keys(raw.constants ?? {});
    check(least <= raw.in.length && raw.in.length <= most && names.length === Object.keys(due).length && names.every((name) => name in due), `instruction ${raw.op}`);
    const out = raw.out ? viewOf(raw.out) : null, inputs = raw.in.map(viewOf), m = out?.channels ?? 0, n = inputs[0]?.channels ?? 0;
    /** @type {Record<string, number>} */
    const axes = { m, n, "4m": 4 * m, 1: 1 };
    /** @type {Record<string, any>} */
    const c = {};
    for (const name of names) {
      const [dtype, shape, range] = due[name], { data, shape: size } = tensor(raw.constants[name], dtype, shape.map((axis) => axes[axis] ?? null));
      check(shape[0] !== "odd" || size[0] % 2 === 1, `a table of ${raw.op}`);
      check(!range || /** @type {any} */ (data).every((/** @type {number} */ x) => range[0] <= x && x <= range[1]), `the range of ${name} of ${raw.op}`);
      if (name === "numbers") c.width = size[1];
      c[name] = data;
    }
    check(raw.map == null || raw.map < maps.length, `map ${raw.map}`);
    check([...inputs, ...(out ? [out] : [])].every((view) => Math.log2(values[view.value].scale) % 1 === 0), "a scale");
    check(!["LINEAR", "ATTEND", "CROSS_ATTEND"].includes(raw.op) || values[inputs[0]?.value]?.dtype !== "I32", `${raw.op} of wide values`);
    check((raw.taps ?? []).every((/** @type {number[]} */ tap) => tap[0] <= 0 || !one.head), "a row below is read");
    check(inputs.every((/** @type {View} */ view) => values[view.value].phase <= phase), `${raw.op} reads what is not known yet`);
    check(!out || values[out.value].phase === phase, `${raw.op} writes in another phase`);
    for (let column = 0; raw.op === "LINEAR" && column < m; column++) {
      let bound = Math.abs(c.bias[column]);
      for (let at = column; at < n * m; at += m) bound += 255 * Math.abs(c.matrix[at]);
      check(bound < 2 ** 31, "a sum could overflow");
    }
    return { op: raw.op, out, inputs, c, map: raw.map ?? 0, taps: raw.taps ?? [], key: raw.key ?? "", parity: raw.row_parity ?? null };
  };
  const code = one.code.map((/** @type {any[]} */ part, /** @type {number} */ phase) => part.map((raw) => instructionOf(raw, phase)));
  const { num_sub_steps: subSteps, canvas_width: canvasWidth, s_curve: sCurve, head } = one;
  check(maps.length > 0 && maps[0].channels === subSteps * canvasWidth, "the first map is not the canvas");
  const inputs = Object.fromEntries(Object.entries(one.inputs).map(([name, input]) =>
    [name, { ...input, unit: tensor(input.unit, "F64", [input.channels]).data }]));
  const shared = { subSteps, canvasWidth, sCurve, values, maps, inputs, code, params: viewOf(one.params) };
  if (!head) return { ...shared, canvasValues: null, head: /** @type {any} */ (null) };
  const width = (subSteps * canvasWidth) / head.channels;
  const least = head.min_log_scale, tables = least != null ? standardTables(head.levels, least)
    : Object.fromEntries(Object.entries(head.tables).map(([name, table]) => [name, tensor(table, "I32", [null]).data]));
  check(one.canvas_values !== null || (head.kind === "mixture" && width === 1), "its canvas has levels as they are");
  const canvasValues = one.canvas_values === null ? Int32Array.from({ length: head.levels }, (_, k) => k - Math.floor(head.levels / 2))
    : tensor(one.canvas_values, "I8", [head.levels, width]).data;
  return { ...shared, canvasValues, head: { ...head, tables, least: least ?? -7 } };
}

// ---- opcodes ----
/** Opcodes that treat each channel alone: channel k of constants c and inputs x, y, before it is clamped.
 *  @type {Record<string, (c: any, k: number, x: number, y: number) => number>} */
const ELEMENTWISE = {
  ADD: (c, k, x, y) => shift(x, c.left[k]) + shift(y, c.right[k]),
  MULTIPLY: (c, k, x, y) => shift(x * y, c.shift[k]),
  OFFSET: (c, k, x) => x + c.constant[k],
  SCALE: (c, k, x) => shift(x * c.factor[k], c.shift[k]),
  GATE: (c, k, x, y) => shift(lookup(c.tanh, shift(x, c.left[k])) * lookup(c.sigmoid, shift(y, c.right[k])), c.shift[k]),
  RELU: (_, _k, x) => Math.max(x, 0),
  NARROW: (c, k, x) => shift(x, c.shift[k]),
  RESCALE: (c, k, x) => shift(x, c.shift[k]),
  LOOKUP: (c, k, x) => lookup(c.table, shift(x, c.shift[k])),
  RECTIFIED_LOOKUP: (c, k, x) => Math.max(x, 0) + lookup(c.table, shift(x, c.shift[k])),
  COPY: (_, _k, x) => x,
  SHIFT_DOWN: (_, _k, x) => x,
  CONSTANT: (c, k) => c.constant[k],
};

/** Two columns of a matrix in a number, low + 2^26 high; its rows are filled up to a multiple of four. @param {Int8Array} matrix @param {number} n rows @param {number} m columns */
function pairsOf(matrix, n, m) {
  const half = Math.ceil(m / 2), pairs = new Float64Array(Math.ceil(n / 4) * 4 * half);
  for (let row = 0; row < n; row++) for (let column = 0; column < m; column++) pairs[row * half + (column >> 1)] += matrix[row * m + column] * (column % 2 ? 2 ** 26 : 1);
  return pairs;
}
/** x @ matrix of packed columns into sums: one multiplication for two, which can be told apart while each is below 2^25.
 *  @param {Int32Array} x @param {number} from @param {number} count @param {Float64Array} pairs @param {Float64Array} sums @param {number} m */
function product(x, from, count, pairs, sums, m) {
  const half = Math.ceil(m / 2), both = sums.fill(0).subarray(sums.length - half);
  for (let n = 0, p = 0; n < count; n += 4, p += 3 * half) { // four rows at once: the sums are read and written less often
    const a = x[from + n], b = x[from + n + 1] | 0, c = x[from + n + 2] | 0, d = x[from + n + 3] | 0;
    for (let k = 0; k < half; k++, p++) both[k] += a * pairs[p] + b * pairs[p + half] + c * pairs[p + 2 * half] + d * pairs[p + 3 * half];
    if (n % 1024 === 1020 || n + 4 >= count) for (let k = 0; k < half; k++) {
      const high = Math.floor(both[k] / 2 ** 26 + 0.5);
      sums[2 * k] += both[k] - high * 2 ** 26; sums[2 * k + 1] += high; both[k] = 0;
    }
  }
  return sums;
}

/** RMS_NORM: divide by the root mean square. @param {Record<string, any>} c @param {Int32Array} x */
function normaliseSite({ table, epsilon, shift: by }, x) {
  const h = Float64Array.from(x, (each) => clamp(each, -(2 ** 20), 2 ** 20)), squares = h.reduce((sum, each) => sum + each * each, epsilon[0]);
  let half = Math.floor(Math.log2(squares) / 2);
  while (4 ** half > squares) half--; // a logarithm is rounded
  while (4 ** (half + 1) <= squares) half++;
  const factor = table[Math.floor((squares * 128) / 4 ** half) - 128];
  return h.map((each, k) => shift(each * factor, by[k] + half));
}

/** A program at work on an image: frequencies of one sub-pixel after the other. */
export class Run {
  /** @param {Program} program @param {number} height @param {number} width @param {Inputs} inputs */
  constructor(program, height, width, inputs) {
    const { values, maps, head, code } = program, across = (/** @type {number} */ scale) => Math.ceil(width / scale);
    this.program = program; this.height = height; this.width = width; this.inputs = inputs;
    this.values = values.map(({ channels, phase, scale }) => new Int32Array(channels * (phase === ROW ? across(scale) * (head ? 1 : height) : 1)));
    this.maps = maps.map(({ channels, scale }) => new Int32Array(channels * across(scale) * Math.ceil(height / scale)));
    this.row = this.column = this.step = 0;
    this.rowBegun = this.hasRun = false;
    this.pixel = new Int32Array(head?.channels ?? 0);
    this.sums = new Float64Array(2 * Math.max(1, ...values.map(({ channels }) => channels)) + 4);
    for (const i of code[IMAGE]) this.run(i, 0, 0);
  }
  get done() { return this.row === this.height; }

  /** Where the channels of a view begin. @param {View} view @param {number} column of its grid */
  at({ value, start }, column) {
    const { phase, channels } = this.program.values[value];
    return phase === ROW ? ((this.program.head ? 0 : this.row * this.width) + column) * channels + start : start;
  }
  /** Run instructions in the current row, at a column or, where it is -1, at all. @param {Instruction[]} code @param {number} column */
  part(code, column) {
    for (const i of code) {
      const { scale, depth } = this.program.values[(i.out ?? i.inputs[0]).value], row = this.row / scale;
      if (row % 1 || (column >= 0 && column % scale) || row < depth || (i.parity !== null && row % 2 !== i.parity)) continue;
      if (column >= 0) this.run(i, row, column / scale);
      else if (i.op === "SCAN") this.scan(i);
      else for (let each = 0; each < this.width / scale; each++) this.run(i, row, each);
    }
  }
  /** Run an instruction at a site of its grid. @param {Instruction} i @param {number} row @param {number} column */
  run(i, row, column) {
    const { program, values } = this, [x, y] = i.inputs, { c } = i, map = program.maps[i.map], from = x ? this.at(x, column) : 0;
    const source = x && values[x.value];
    if (!i.out) { // STORE, STORE_KV
      const to = (row * Math.ceil(this.width / map.scale) + column) * map.channels;
      return this.maps[i.map].set(source.subarray(from, from + map.channels), to);
    }
    const out = values[i.out.value], to = this.at(i.out, column), m = i.out.channels;
    const { dtype, depth, scale, phase } = program.values[i.out.value], [low, high] = RANGES[dtype];
    const start = y ? this.at(y, column) : from, other = y ? values[y.value] : source;
    if (i.op === "LINEAR") {
      c.pairs ??= pairsOf(c.matrix, x.channels, m); // of no use to the library
      const sums = product(source, from, x.channels, c.pairs, this.sums, m);
      for (let k = 0; k < m; k++) out[to + k] = clamp(shift(sums[k] + c.bias[k], c.shift[k]) + (y ? other[start + k] : 0), low, high);
    } else if (i.op === "PROJECT") {
      for (let k = 0; k < m; k++) {
        let sum = c.bias[k], by = BigInt(c.shift[k]);
        for (let n = 0; n < x.channels; n++) sum += BigInt(source[from + n] * c.matrix[n * m + k]);
        out[to + k] = clamp(Number(by > 0n ? (sum + (1n << (by - 1n))) >> by : sum << -by), low, high);
      }
    } else if (i.op === "GATHER") {
      const step = scale / map.scale;
      i.taps.forEach(([dy, dx], tap) => this.gather(i.map, row * step + dy, column * step + dx, out, to + tap * map.channels));
    } else if (i.op === "UPSAMPLE") {
      const coarse = (row >> 1) * Math.ceil(this.width / map.scale) + (column >> 1), quarter = 2 * (row % 2) + (column % 2);
      out.set(this.maps[i.map].subarray(coarse * map.channels + quarter * m, coarse * map.channels + (quarter + 1) * m), to);
    } else if (i.op === "INPUT" || i.op === "MAP_CONSTANT") {
      const begin = phase === IMAGE ? 0 : ((row - depth) * (c.width ?? this.width) + column) * m;
      out.set((c.numbers ?? this.inputs[i.key]).subarray(begin, begin + m), to);
    } else if (i.op === "RMS_NORM") {
      normaliseSite(c, source.subarray(from, from + m)).forEach((number, k) => { out[to + k] = clamp(number, low, high); });
    } else if (i.op in LOCAL_GAIN) {
      const parts = i.inputs.map((view) => values[view.value].subarray(this.at(view, column), this.at(view, column) + view.channels));
      LOCAL_GAIN[i.op](c.levels[0], parts).slice(0, m).forEach((number, k) => { out[to + k] = clamp(number, low, high); });
    } else if (i.op === "ATTEND") {
      const { channels, heads, keys } = map, entries = this.maps[i.map].subarray(0, (row * this.width + column) * channels);
      attend(c, source.subarray(from, from + keys), entries, heads, out.subarray(to, to + m), (n) => clamp(n, low, high));
    } else if (i.op === "CROSS_ATTEND") {
      const [mask, entries] = i.inputs.slice(1).map((view) => values[view.value].subarray(view.start, view.start + view.channels));
      attend(c, source.subarray(from, from + x.channels), existing(mask, entries), c.heads[0], out.subarray(to, to + m), (n) => clamp(n, low, high));
    } else {
      const formula = ELEMENTWISE[i.op];
      for (let k = 0; k < m; k++) out[to + k] = clamp(formula(c, k, x ? source[from + k] : 0, y ? other[start + k] : 0), low, high);
    }
  }
  /** Copy a site of a map; beyond the border its initial state, or 0.
   *  @param {number} index @param {number} row @param {number} column @param {Int32Array} out @param {number} to */
  gather(index, row, column, out, to) {
    const { channels, scale, above, left } = this.program.maps[index], across = Math.ceil(this.width / scale);
    const begin = (row * across + column) * channels;
    if (row >= 0 && row * scale < this.height && column >= 0 && column < across) out.set(this.maps[index].subarray(begin, begin + channels), to);
    else if (column < 0 && left) out.set(left, to);
    else if (row < 0 && column >= 0 && column < across && above) out.set(above, to);
    else out.fill(0, to, to + channels);
  }
  /** An LSTM along the current row. @param {Instruction} i */
  scan({ c, out, inputs: [x], taps }) {
    const view = /** @type {View} */ (out), d = view.channels, cell = Float64Array.from(c.cell), gates = new Float64Array(4 * d);
    let hidden = Float64Array.from(c.hidden);
    for (let n = 0; n < this.width; n++) {
      const column = taps[0][1] < 0 ? n : this.width - 1 - n, from = this.at(x, column), to = this.at(view, column);
      for (let k = 0; k < 4 * d; k++) {
        const sum = hidden.reduce((total, h, row) => total + h * c.matrix[row * 4 * d + k], 0);
        const gate = clamp(this.values[x.value][from + k] + shift(sum, c.shift[k]), -LIMIT, LIMIT);
        gates[k] = lookup(k < 3 * d ? c.sigmoid : c.tanh, shift(gate, c.gate[k]));
      }
      hidden = hidden.map((_, k) => {
        cell[k] = clamp(shift(gates[d + k] * cell[k], 14) + shift(gates[2 * d + k] * gates[3 * d + k], 14), -LIMIT, LIMIT);
        const result = shift(gates[k] * lookup(c.tanh, shift(cell[k], 6)), 14);
        this.values[view.value][to + k] = clamp(result, -LIMIT, LIMIT);
        return clamp(shift(result, 7), -128, 127);
      });
    }
  }
  /** Run the program of a grid: each instruction over all rows, before the next one. @param {Int32Array} canvas */
  grid(canvas) {
    this.maps[0].set(canvas);
    for (const i of this.program.code[ROW]) for (this.row = 0; this.row < this.height; this.row++) this.part([i], -1);
    return this.values[this.program.params.value];
  }
  /** Compute the parameters of the current sub-pixel. @returns {Int32Array} */
  compute() {
    const { params, code } = this.program;
    if (!this.hasRun && !this.rowBegun) this.part(code[ROW], -1);
    if (!this.hasRun) this.part(code[SITE], this.column);
    this.rowBegun = this.hasRun = true;
    const start = this.at(params, this.column);
    return this.values[params.value].subarray(start, start + params.channels);
  }
  /** Frequencies of the levels of the current sub-pixel. @returns {Float64Array} */
  frequencies() { return frequencies(this.program.head, this.compute(), this.pixel, this.step); }
  /** Its distribution where the levels are too many for a table; null elsewhere. */
  intervals() { return intervals(this.program.head, this.compute(), this.pixel, this.step); }
  /** Take the level of the current sub-pixel, and go to the next. @param {number} level */
  observe(level) {
    const { subSteps, canvasWidth, sCurve, canvasValues, head: { channels }, code, maps } = this.program;
    const width = (subSteps * canvasWidth) / channels, coupled = subSteps !== channels;
    if (!this.hasRun) this.compute();
    this.pixel[this.step++] = level;
    if (!coupled || this.step === channels) for (let channel = coupled ? 0 : this.step - 1; channel < this.step; channel++) {
      const each = this.pixel[channel], start = (this.row * this.width + this.column) * maps[0].channels + channel * width;
      this.maps[0].set(canvasValues.subarray(each * width, (each + 1) * width), start);
    }
    if (!coupled) this.hasRun = false;
    if (this.step < channels) return;
    this.part(code[POST_DRAW], this.column);
    this.hasRun = false; this.step = 0;
    this.column += sCurve && this.row % 2 ? -1 : 1;
    if (this.column >= 0 && this.column < this.width) return;
    this.row++; this.rowBegun = false;
    this.column = sCurve && this.row % 2 ? this.width - 1 : 0;
  }
}

// ---- the head: from parameters to frequencies, to a level ----
/** In proportion to weights: at least 1 each where allowed, and 2^bits in all.
 *  @param {Float64Array} weights @param {number} bits @param {boolean[] | null} allowed */
function normalise(weights, bits, allowed = null) {
  const total = weights.reduce((sum, w, k) => sum + (!allowed || allowed[k] ? w : 0), 0);
  const ratio = Number((1n << BigInt(bits + 32)) / BigInt(total));
  const result = weights.map((w, k) => (!allowed || allowed[k] ? Math.max(1, mulShift(w, ratio, 32)) : 0));
  result[result.indexOf(largest(result))] += POWERS[bits] - result.reduce((a, b) => a + b);
  return result;
}
/** @param {Head} head @param {Int32Array} params @param {Int32Array} pixel @param {number} channel @returns {Float64Array} */
function frequencies(head, params, pixel, channel) {
  const { levels, precision, tables: { exp } } = head, many = intervals(head, params, pixel, channel);
  if (many) return many.frequencies();
  if (head.kind === "factored") return factored(head, params, channel);
  if (head.kind === "mixture") return normalise(mixture(head, params, pixel, channel), precision);
  const logits = head.kind === "bernoulli" ? [0, params[channel]] : [...params.subarray(channel * levels, (channel + 1) * levels)];
  const most = largest(logits);
  return normalise(Float64Array.from(logits, (logit) => exp[Math.min(most - logit, exp.length - 1)]), precision);
}
const LOG = Float64Array.from({ length: 257 }, (_, i) => Math.floor(2 ** 20 * Math.log2(1 + i / 256) + 0.5));
export const EXP = Float64Array.from({ length: 257 }, (_, i) => Math.floor(2 ** 30 * 2 ** (-i / 256) + 0.5));
/** Read one of both at x of 2^bits. @param {Float64Array} table @param {number} x @param {number} bits */
export function read(table, x, bits) {
  const i = Math.floor(x / POWERS[bits - 8]);
  return table[i] + Math.floor(((table[i + 1] - table[i]) * (x - i * POWERS[bits - 8])) / POWERS[bits - 8]);
}
/** log2 in steps of 2^-20. @param {number} f */
export const log2 = (f, e = 31 - Math.clz32(f)) => e * 2 ** 20 + read(LOG, f * POWERS[24 - e] - 2 ** 24, 24);
/** Frequencies after guidance, temperature, top-p and allowed levels; they sum to 2^30.
 *  @param {Float64Array} conditional @param {Float64Array | null} reference @param {number} guidance @param {number} temperature
 *  @param {number} topP @param {boolean[] | null} allowed */
export function transform(conditional, reference, guidance, temperature, topP, allowed = null) {
  const g = Math.floor(guidance * 65536 + 0.5), p = Math.max(1, Math.floor(topP * 2 ** 30 + 0.5));
  const b = temperature < 2 ** -10 ? 0 : Math.max(1, Math.floor(65536 / temperature + 0.5));
  let weights = conditional;
  if (reference || b !== 65536) {
    const logs = conditional.map((f, k) => {
      const u = reference ? log2(reference[k]) : log2(f);
      return u + Math.floor((g * (log2(f) - u)) / 65536);
    });
    const best = largest(logs.filter((_, k) => !allowed || allowed[k]));
    const first = logs.findIndex((l, k) => l === best && (!allowed || allowed[k]));
    if (b === 0) return logs.map((_, k) => (k === first ? 2 ** 30 : 0));
    weights = logs.map((l) => {
      const d = mulShift(Math.max(0, best - l), b, 16), n = Math.floor(d / 2 ** 20);
      return Math.floor(read(EXP, d - n * 2 ** 20, 20) / POWERS[Math.min(n, 31)]);
    });
  }
  const result = normalise(weights, 30, allowed);
  if (p === 2 ** 30) return result;
  const order = [...result.keys()].sort((j, k) => result[k] - result[j] || j - k), nucleus = Array(result.length).fill(false);
  for (let before = 0, n = 0; n < order.length && before < p; before += result[order[n++]]) nucleus[order[n]] = true;
  return normalise(result, 30, nucleus);
}
/** The first level whose cumulative sum exceeds floor(uniform 2^bits). @param {Float64Array} f @param {number} uniform @param {number} bits */
const draw = (f, uniform, bits, sum = 0) => f.findIndex((size) => (sum += size) > Math.floor(uniform * POWERS[bits]));

// ---- uniforms: numpy's default_rng(numbers), for an image [seed, index] ----
/** The words of 32 bits that numpy's `SeedSequence(numbers)` generates. @param {number[]} numbers */
export function wordsOf(numbers) {
  const entropy = numbers.flatMap((n) => (n < 2 ** 32 ? [n] : [n % 2 ** 32, Math.floor(n / 2 ** 32)]));
  let constant = 0x43b0d7e5;
  const hash = (/** @type {number} */ x, /** @type {number} */ multiplier) => {
    x ^= constant; constant = Math.imul(constant, multiplier); x = Math.imul(x, constant);
    return (x ^ (x >>> 16)) >>> 0;
  };
  const pool = [0, 1, 2, 3].map((i) => hash(entropy[i] ?? 0, 0x931e8875));
  for (let from = 0; from < Math.max(4, entropy.length); from++) for (let to = 0; to < 4; to++) if (from !== to) {
    const mixed = Math.imul(0xca01f9dd, pool[to]) - Math.imul(0x4973f715, hash(from < 4 ? pool[from] : entropy[from], 0x931e8875));
    pool[to] = (mixed ^ (mixed >>> 16)) >>> 0;
  }
  constant = 0x8b51f9dd; // for the words of the state
  return Array.from({ length: 8 }, (_, i) => hash(pool[i % 4], 0x58f38ded));
}
/** The generator of numbers: a function that returns its next 64 bits. @param {number[]} numbers */
export function generator(numbers) {
  const words = wordsOf(numbers).map(BigInt);
  const [a, b, c, d] = [0, 2, 4, 6].map((i) => words[i] | (words[i + 1] << 32n)), mask = (1n << 128n) - 1n;
  const increment = ((((c << 64n) | d) << 1n) | 1n) & mask;
  const next = (/** @type {bigint} */ state) => (state * 0x2360ed051fc65da44385df649fccf645n + increment) & mask;
  let state = next((increment + ((a << 64n) | b)) & mask);
  return () => {
    state = next(state);
    const folded = (state >> 64n) ^ (state & MASK), turn = state >> 122n;
    return ((folded >> turn) | (folded << (64n - turn))) & MASK;
  };
}
/** Numbers in [0, 1). @param {number[]} numbers @param {number} count @returns {Float64Array} */
export function uniforms(numbers, count) {
  const bits = generator(numbers);
  return Float64Array.from({ length: count }, () => Number(bits() >> 11n) / 2 ** 53);
}

// ---- orders, conditions, samples ----
/** @param {Model} model @param {string} [name] @returns {Order} */
export function orderOf(model, name = Object.keys(model.orders)[0]) {
  const match = /^(?:raster|s-curve)(-columns)?(?:-(tr|bl|br))?$/.exec(name), corner = match?.[2] ?? "";
  check(match !== null && name in model.orders, `the model has no order ${name}`);
  return { name, columns: !!match[1], bottom: corner.startsWith("b"), right: corner.endsWith("r") };
}
/** Row and column in the image of a site of the raster frame. @param {Order} order @param {number} row @param {number} column
 *  @param {number} height @param {number} width */
export function siteOf(order, row, column, height, width) {
  if (order.columns) [row, column] = [column, row];
  return [order.bottom ? height - 1 - row : row, order.right ? width - 1 - column : column];
}
/** Run the program of a grid. @type {NonNullable<Model["grid"]>} */
const runGrid = (program, height, width, canvas) => new Run(program, height, width, {}).grid(canvas).slice();
/** Conditions as integers; `features` are those of parts with a prompt, in steps of 2^-18 (`prompts.js`), `hint` the
 *  levels of a hint, null where it is unknown, `known` the known pixels that a completing model reads (`grid.js`).
 *  @param {Model} model @param {Order} order @param {number} height @param {number} width
 *  @param {{label?: string | number | null, features?: Record<string, number[]>, hint?: ArrayLike<number | null> | null, known?: ArrayLike<number | null> | null}} given @returns {Inputs} */
export function conditions(model, order, height, width, given = {}) {
  const number = model.orders[order.name], { inputs } = model.programs[number], [rows, columns] = order.columns ? [width, height] : [height, width];
  /** @type {Record<string, {row: Int32Array, channels: number}[]>} */
  const pieces = { vector: [], map: [], tokens: [] };
  for (const part of model.parts[number]) {
    const { name, kind, names, known, program, rows: { shape: [count, ...shape], data } } = part, value = (known ? given.known : given.hint) ?? null;
    const length = shape.reduce((a, b) => a * b), channels = shape[shape.length - 1], features = given.features?.[name];
    const other = shape[0] !== height || shape[1] !== width; // than the size of the stored row, of which nothing is known
    const map = program && (other || (value && Array.prototype.some.call(value, (level) => level != null))) ? gridMap(model, part, value, height, width, runGrid) : undefined;
    let index = count - 1;
    if (name === "order") index = names.indexOf(order.name);
    else if (name === "label" && given.label != null) index = typeof given.label === "number" ? given.label : names.indexOf(given.label);
    check(index >= 0 && index < count, `there is no ${name} ${given.label}`);
    check(kind !== "map" || map !== undefined || (shape[0] === height && shape[1] === width), `the size of the map ${name}`);
    const start = pieces[kind].reduce((sum, piece) => sum + piece.channels, 0), unit = inputs[kind]?.unit;
    const row = map ?? (features ? Int32Array.from(features, (f, k) => clamp(Math.floor(f / 2 ** 18 / unit[start + k] + 0.5), -LIMIT, LIMIT))
      : /** @type {Int32Array} */ (data).slice(index * length, (index + 1) * length));
    pieces[kind].push({ row, channels });
  }
  return Object.fromEntries(Object.entries(inputs).map(([kind, { channels }]) => {
    const sites = kind === "map" ? rows * columns : 1, result = new Int32Array(sites * channels);
    for (let site = 0, start = 0; site < sites; site++) {
      const [y, x] = siteOf(order, Math.floor(site / columns), site % columns, height, width), from = sites === 1 ? 0 : y * width + x;
      for (const { row, channels } of pieces[kind]) {
        result.set(row.subarray(from * channels, (from + 1) * channels), start);
        start += channels;
      }
    }
    return [kind, result];
  }));
}
/** What one draw is told: the place of a sub-pixel, its frequencies under the conditions and without them, its level.
 *  @typedef {{at: number, frequencies: Float64Array | null, reference: Float64Array | null, level: number}} Draw */
/** @typedef {{seed?: number, index?: number, uniforms?: Float64Array, label?: string | number | null,
 *    features?: Record<string, number[]>, negative?: Record<string, number[]> | null, hint?: ArrayLike<number | null> | null, inputs?: Inputs | null, guidance?: number, temperature?: number, topP?: number,
 *    order?: string, height?: number, width?: number, known?: ArrayLike<number | null> | null, observed?: ArrayLike<number | null> | null,
 *    allowed?: boolean[] | ((at: number) => boolean[] | null) | null, all?: boolean, tables?: boolean, begin?: Begin}} Options */
const OPTIONS = "seed index uniforms label features negative hint inputs guidance temperature topP order height width known observed allowed all tables begin".split(" ");
const PROMPT_PARTS = ["text", "words", "tokens"];
/** What a draw needs: integers of the conditions, and of guidance its reference. @typedef {ReturnType<typeof prepare>} Prepared */
/** Prepare a draw. @param {Model} model @param {Options} options */
export function prepare(model, options) {
  const { seed = 0, index = 0, guidance = 1, temperature = 1, topP = 1, known = null, height = model.image.height, width = model.image.width } = options;
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) throw new Error(`There is no option ${unknown}: choose from ${OPTIONS.join(", ")}.`);
  const order = orderOf(model, options.order), program = model.programs[model.orders[order.name]];
  for (const [name, value, least] of /** @type {[string, unknown, number][]} */ ([["seed", seed, 0], ["index", index, 0], ["height", height, 1], ["width", width, 1]]))
    if (!Number.isSafeInteger(value) || Number(value) < least) throw new Error(`The ${name} (=${value}) must be a whole number, ${least} to 2^53 - 1.`);
  check(!model.fixedSize || (height === model.image.height && width === model.image.width), "the model has one size");
  check(guidance >= 0 && guidance <= 1000 && temperature >= 0 && topP > 0 && topP <= 1, "guidance, temperature or top-p");
  const [rows, columns] = order.columns ? [width, height] : [height, width];
  const guided = guidance !== 1 && (options.label ?? options.features ?? options.negative ?? options.hint ?? options.inputs) != null;
  const inputs = { ...conditions(model, order, height, width, options), ...options.inputs };
  const label = PROMPT_PARTS.some((name) => options.features?.[name] ?? options.negative?.[name]) ? options.label : null; // of an image with a prompt the label stays
  const reference = guided ? conditions(model, order, height, width, { known, label, features: options.negative ?? undefined }) : null;
  const u = options.uniforms ?? uniforms([seed, index], model.image.channels * height * width);
  return { order, program, height, width, rows, columns, inputs, reference, uniforms: u, guidance, temperature, topP, known };
}
/** Sample an image from its seed and conditions, one sub-pixel after the other. `inputs` replaces conditions by integers; `known`
 *  has a level or null for each sub-pixel `[channels, height, width]`, which a completing model reads before the first draw; `observed`
 *  as well, but nothing reads them before their turn; `allowed` tells of each level whether it may be drawn;
 *  `all`: compute the frequencies of known sub-pixels too; `tables`: without it, where levels are many, a draw tells no frequencies; `begin` opens a program instead of `Run` (`webassembly.js`).
 *  @param {Model} model @param {Options} options
 *  @returns {Generator<Draw, {levels: Uint16Array, frequencies: Float64Array}>} levels, and the frequency of each under the model */
export function* draws(model, options = {}) {
  const { known = null, observed = known, allowed = null, all = false, tables = true, begin = (...what) => new Run(...what) } = options;
  const { order, program, height, width, rows, columns, inputs, reference: without, uniforms: u, guidance, temperature, topP } = prepare(model, options);
  const run = begin(program, rows, columns, inputs), other = without && begin(program, rows, columns, without), { precision } = program.head;
  const levels = new Uint16Array(u.length), result = new Float64Array(u.length).fill(POWERS[precision]);
  let left = observed && !all ? levels.reduce((sum, _, at) => sum + Number(observed[at] == null), 0) : Infinity; // nothing is computed after the last of them
  const byIntervals = !tables && !other && temperature === 1 && topP === 1 && !allowed;
  if (observed) for (let at = 0; at < levels.length; at++) levels[at] = observed[at] ?? 0;
  while (!run.done && left) {
    const [y, x] = siteOf(order, run.row, run.column, height, width), at = (run.step * height + y) * width + x, level = observed?.[at];
    const many = byIntervals && (level == null || all) ? run.intervals() : null;
    const frequencies = !many && (level == null || all) ? run.frequencies() : null, reference = frequencies && other ? other.frequencies() : null;
    if (level == null) left--;
    if (level == null && frequencies) {
      const may = typeof allowed === "function" ? allowed(at) : allowed, identity = !other && temperature === 1 && topP === 1 && !may;
      const weights = identity ? frequencies : transform(frequencies, reference, guidance, temperature, topP, may);
      levels[at] = draw(weights, u[at], identity ? precision : 30);
    }
    if (level == null && many) levels[at] = many.at(Math.floor(u[at] * POWERS[precision]));
    if (many) result[at] = many.frequency(levels[at]);
    if (frequencies) result[at] = frequencies[levels[at]];
    run.observe(levels[at]);
    other?.observe(levels[at]);
    yield { at, frequencies, reference, level: levels[at] };
  }
  return { levels, frequencies: result };
}
/** Sample an image: see `draws`. @param {Model} model @param {Options} options */
export function sample(model, options = {}) {
  const steps = draws(model, { ...options, tables: false });
  for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
}
