import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";
// Draw levels by the library in WebAssembly, and print their hash:
// node draw_in_wasm.mjs LIBRARY PROGRAM BATCH HEIGHT WIDTH CHANNELS LEVEL: draws from the uniforms k 611953 mod 1000003 / 1000003
const [library, programPath, ...numbers] = process.argv.slice(2);
const [batch, height, width, channels, level] = numbers.map(Number);
const { instance } = await WebAssembly.instantiate(readFileSync(library), {});
const { memory, __heap_base, ...pt } = instance.exports;
let top = 0;
const take = (bytes) => {
  top = top || memory.buffer.byteLength;
  const at = (top + 63) & ~63;
  top = at + bytes;
  const missing = top - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / 65536));
  return at;
};
const program = readFileSync(programPath), size = BigInt(program.length);
const at = take(program.length);
new Uint8Array(memory.buffer).set(program, at);
const problem = pt.pt_check(at, size);
if (problem !== 0n) throw new Error(`rule ${problem}`);
const workspace = pt.pt_workspace(at, BigInt(batch), BigInt(height), BigInt(width), 0);
const space = take(Number(workspace)), count = batch * channels * height * width;
const levels = take(8 * count), known = take(count), uniforms = take(8 * count), sizes = take(8 * count), signal = take(16), inputs = take(8);
new Float64Array(memory.buffer, uniforms, count).set(Array.from({ length: count }, (_, k) => ((k * 611953) % 1000003) / 1000003));
const run = pt.pt_begin(at, BigInt(batch), BigInt(height), BigInt(width), 0, 0, inputs, space, level);
if (!run) throw new Error("no such level");
pt.pt_sample(run, levels, known, uniforms, sizes, 0, 0, signal);
const bytes = new Uint8Array(memory.buffer, levels, 8 * count);
console.log(createHash("sha256").update(bytes).digest("hex"));
