// Run integer programs by pointillist.c, compiled to WebAssembly: the bits of pointillist.js, about 15 times faster.
//
//   const compiled = new CompiledPrograms(await WebAssembly.compile(bytesOfLibrary), [bytesOfLoweredProgram]);
//   const { levels } = sample(model, { seed: 7, begin: compiled.begin(model) });
//
// A lowered program is what `src/pointillist/engine/c/lower.py` makes of a program: the bytes that pointillist.c reads.

import { check } from "./arithmetic.js";
import { intervals } from "./local_gain.js";

/** @typedef {import("./pointillist.js").Model} Model */
/** @typedef {import("./pointillist.js").Program} Program */
/** @typedef {import("./pointillist.js").Inputs} Inputs */

const ALIGN = 64, PAGE = 65536, BEST = -1, GROUP = 4, VECTOR = 16, PANEL = 64;

/** Programs in the memory of one instance of the library, and the runs that are open. */
export class CompiledPrograms {
  /** @param {WebAssembly.Module} library @param {Uint8Array[]} lowered one for each program of the model */
  constructor(library, lowered) {
    /** @type {any} */
    this.exports = new WebAssembly.Instance(library, {}).exports;
    this.memory = /** @type {WebAssembly.Memory} */ (this.exports.memory);
    this.top = this.exports.__heap_base.value;
    this.programs = lowered.map((bytes) => {
      const address = this.allocate(bytes.length);
      new Uint8Array(this.memory.buffer).set(bytes, address);
      check(this.exports.pt_check(address, BigInt(bytes.length)) === 0n, "the library does not run this program");
      return address;
    });
    this.first = this.top;
  }
  /** Reserve bytes of the memory. @param {number} size */
  allocate(size) {
    const address = Math.ceil(this.top / ALIGN) * ALIGN, missing = address + size - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));
    this.top = address + size;
    return address;
  }
  /** Copy an array into the memory. @param {ArrayBufferView} array */
  put(array) {
    const address = this.allocate(Math.max(1, array.byteLength));
    new Uint8Array(this.memory.buffer).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), address);
    return address;
  }
  /** Begin a program on a batch of images. @param {number} index of the program @param {Program} program @param {number} batch @param {number} rows @param {number} columns
   *  @param {Inputs} inputs of all images, one after the other */
  run(index, program, batch, rows, columns, inputs) {
    const { exports, programs: { [index]: address } } = this, size = /** @type {const} */ ([BigInt(batch), BigInt(rows), BigInt(columns), 0]);
    const bytes = exports.pt_workspace(address, ...size);
    check(bytes >= 0n, `images of ${rows}x${columns}`);
    const arrays = Object.keys(program.inputs).map((name) => {
      check(inputs[name] instanceof Int32Array, `the condition ${name}`);
      return this.put(inputs[name]);
    });
    const pointers = this.put(Uint32Array.from([...arrays, 0])), workspace = this.allocate(Number(bytes));
    return { address: exports.pt_begin(address, ...size, 0, pointers, workspace, BEST), batch, workspace };
  }
  /** Write `pt_transform`. @param {import("./pointillist.js").Prepared} prepared */
  transform({ reference, guidance, temperature, topP }) {
    const inverse = temperature < 2 ** -10 ? 0 : Math.max(1, Math.floor(65536 / temperature + 0.5));
    return this.put(BigInt64Array.from([Number(reference !== null), Math.floor(guidance * 65536 + 0.5), inverse, Math.max(1, Math.floor(topP * 2 ** 30 + 0.5))], BigInt));
  }
  /** Return what opens programs of a model, in place of `new Run`. @param {Model} model @returns {import("./pointillist.js").Begin} */
  begin(model) {
    return (program, height, width, inputs) => new CompiledRun(this, model.programs.indexOf(program), program, height, width, inputs);
  }
  /** Return what runs programs of grids, in place of `Run`: they follow the others. @param {Model} model @returns {NonNullable<Model["grid"]>} */
  grid(model) {
    const grids = model.parts.flat().flatMap((part) => part.program ?? []);
    return (program, height, width, canvas) => {
      const top = this.top, index = model.programs.length + grids.indexOf(program), size = height * width * program.params.channels;
      const run = this.run(index, program, 1, height, width, {}), from = this.put(canvas), to = this.allocate(4 * size);
      this.exports.pt_grid(run.address, from, to);
      this.top = top; // of use until the next call alone
      return new Int32Array(this.memory.buffer, to, size).slice();
    };
  }
  /** End all runs: their memory is used again. */
  release() {
    this.top = this.first;
  }
}

/** A program at work on an image: as `Run` of pointillist.js. */
class CompiledRun {
  /** @param {CompiledPrograms} owner @param {number} index @param {Program} program @param {number} height @param {number} width @param {Inputs} inputs */
  constructor(owner, index, program, height, width, inputs) {
    const { head } = program;
    this.owner = owner; this.program = program; this.height = height; this.width = width;
    this.address = owner.programs[index];
    this.run = owner.run(index, program, 1, height, width, inputs).address;
    this.params = owner.allocate(4 * program.params.channels);
    this.pixel = owner.allocate(8 * head.channels);
    this.result = owner.allocate(8 * head.levels);
    this.scratch = owner.allocate(8 * (4 * head.mixtures + 520));
    this.values = owner.allocate(4 * program.canvasWidth * program.subSteps);
    new BigInt64Array(owner.memory.buffer, this.pixel, head.channels).fill(0n);
    this.row = this.column = this.step = 0;
    this.rowBegun = this.hasRun = false;
  }
  get done() { return this.row === this.height; }
  /** Compute the parameters of the current sub-pixel. */
  compute() {
    const { exports } = this.owner;
    if (this.hasRun) return;
    if (!this.rowBegun) exports.pt_row(this.run, BigInt(this.row));
    exports.pt_site(this.run, BigInt(this.row), BigInt(this.column));
    this.rowBegun = this.hasRun = true;
  }
  /** Write the parameters of the current sub-pixel to `params`. */
  writeParams() {
    this.compute();
    this.owner.exports.pt_params(this.run, BigInt(this.column), this.params);
  }
  /** Its distribution where the levels are too many for a table; null elsewhere. */
  intervals() {
    const { buffer } = this.owner.memory, { head, params: { channels } } = this.program;
    this.writeParams();
    return intervals(head, new Int32Array(buffer, this.params, channels), Array.from(new BigInt64Array(buffer, this.pixel, head.channels), Number), this.step);
  }
  /** Frequencies of the levels of the current sub-pixel. @returns {Float64Array} */
  frequencies() {
    const { exports, memory } = this.owner, { levels } = this.program.head;
    this.writeParams();
    exports.pt_frequencies(this.address, this.params, this.pixel, 1n, BigInt(this.step), this.result, this.scratch, BEST);
    const words = new Int32Array(memory.buffer, this.result, 2 * levels), result = new Float64Array(levels);
    for (let k = 0; k < levels; k++) result[k] = words[2 * k];
    return result;
  }
  /** Take the level of the current sub-pixel, and go to the next. @param {number} level */
  observe(level) {
    const { exports, memory } = this.owner, { subSteps, canvasWidth, canvasValues, sCurve, head: { channels } } = this.program;
    const width = (subSteps * canvasWidth) / channels, coupled = subSteps !== channels, column = BigInt(this.column);
    this.compute();
    const pixel = new BigInt64Array(memory.buffer, this.pixel, channels);
    pixel[this.step++] = BigInt(level);
    if (!coupled || this.step === channels) for (let channel = coupled ? 0 : this.step - 1; channel < this.step; channel++) {
      const each = Number(pixel[channel]);
      new Int32Array(memory.buffer, this.values, width).set(canvasValues.subarray(each * width, (each + 1) * width));
      exports.pt_write(this.run, column, BigInt(channel * width), BigInt(width), this.values);
    }
    if (!coupled) this.hasRun = false;
    if (this.step < channels) return;
    exports.pt_post(this.run, BigInt(this.row), column);
    this.hasRun = false; this.step = 0;
    this.column += sCurve && this.row % 2 ? -1 : 1;
    if (this.column >= 0 && this.column < this.width) return;
    this.row++; this.rowBegun = false;
    this.column = sCurve && this.row % 2 ? this.width - 1 : 0;
  }
}

/** An array of a lowered program: where it lies, its tensor, and for a matrix `[inputs, columns]` how many inputs are read together.
 *  @typedef {{offset: number, tensor: string, dtype: string, rank: number, rows: number[]}} Place */

/** Put arrays of a program into its lowered bytes, which come without them. A matrix lies in panels of 64 columns: for each group
 *  of four inputs, for each column, the four. @param {Uint8Array} bytes @param {Place[]} places @param {Model["tensor"]} tensor */
export function putArrays(bytes, places, tensor) {
  for (const { offset, tensor: name, dtype, rank, rows: together } of places) {
    const { data, bytes: raw, shape: [, columns] } = tensor(name, dtype, Array(rank).fill(null)), matrix = /** @type {Int8Array} */ (data);
    if (!together.length) bytes.set(raw, offset);
    const rows = []; // of the matrix, -1 for padding
    for (let piece = 0, first = 0; piece < together.length; first += together[piece++])
      for (let k = 0; k < Math.ceil(together[piece] / GROUP) * GROUP; k++) rows.push(k < together[piece] ? first + k : -1);
    const width = together.length ? Math.ceil(columns / VECTOR) * VECTOR : 0;
    let at = offset;
    for (let panel = 0; panel < width; panel += PANEL) for (let group = 0; group < rows.length; group += GROUP)
      for (let column = panel; column < Math.min(width, panel + PANEL); column++) for (let k = 0; k < GROUP; k++, at++)
        if (rows[group + k] >= 0 && column < columns) bytes[at] = matrix[rows[group + k] * columns + column];
  }
  return bytes;
}
