// Decode archives, after docs/reference/program_format.md.
//
//   const records = decodeArchive(bytesOfArchive, await openProgram(json, tensors));

import { POWERS, check } from "./arithmetic.js";
import { LEARNED, learner } from "./learned.js";
import { MASK, Run, conditions, crc32, hex, joined, orderOf, siteOf } from "./pointillist.js";

/** @typedef {import("./pointillist.js").Model} Model */
/** @typedef {import("./pointillist.js").Order} Order */

/** A range decoder of 64 bits over words of 32. */
class RangeDecoder {
  /** @param {Uint8Array} content */
  constructor(content) {
    check(content.length % 4 === 0, "the content of a record is no whole number of words");
    const view = new DataView(content.buffer, content.byteOffset, content.length);
    this.words = Array.from({ length: content.length / 4 }, (_, i) => BigInt(view.getUint32(4 * i, true)));
    this.read = 0; this.lower = 0n; this.range = MASK; this.point = (this.word() << 32n) | this.word();
  }
  word() { return this.words[this.read++] ?? 0n; }
  /** Decode a symbol; `find` gives it, its start and its size among 2^24. @param {(target: number) => [number, number, number]} find */
  symbol(find) {
    const scale = this.range >> 24n, target = ((this.point - this.lower) & MASK) / scale;
    check(target < 1n << 24n, "no symbol gives these bytes");
    const [symbol, start, size] = find(Number(target));
    this.lower = (this.lower + scale * BigInt(start)) & MASK; this.range = scale * BigInt(size);
    if (this.range < 1n << 32n) {
      this.lower = (this.lower << 32n) & MASK; this.range <<= 32n; this.point = ((this.point << 32n) & MASK) | this.word();
    }
    return symbol;
  }
  /** Decode one of `count` symbols of equal size; the last has the rest. @param {number} count */
  uniform(count) {
    const size = Math.floor(2 ** 24 / count);
    return this.symbol((target) => {
      const symbol = Math.min(Math.floor(target / size), count - 1);
      return [symbol, symbol * size, symbol < count - 1 ? size : 2 ** 24 - symbol * size];
    });
  }
  /** @param {Float64Array | import("./local_gain.js").Intervals} f of all levels, or what knows the interval of each @param {number} precision */
  level(f, precision) {
    return this.symbol((target) => {
      const scale = POWERS[24 - precision], found = f instanceof Float64Array ? -1 : f.at(Math.floor(target / scale));
      if (!(f instanceof Float64Array)) return [found, f.start(found) * scale, f.frequency(found) * scale];
      let start = 0, level = 0; while (start + f[level] * scale <= target) start += f[level++] * scale;
      return [level, start, f[level] * scale];
    });
  }
  get exhausted() { return this.read >= this.words.length && ((this.point - this.lower) & MASK) < (1n << 33n) - 1n; }
}
/** @param {number} value @returns {Uint8Array} */
const variable = (value) => (value < 128 ? Uint8Array.of(value) : joined(Uint8Array.of((value % 128) + 128), variable(Math.floor(value / 128))));
/** Write an integer of some bytes, little-endian. @param {number} value @param {number} count */
const bytesOf = (value, count) => Uint8Array.from({ length: count }, (_, n) => (value >>> (8 * n)) & 255);
/** The end of an archive: an index where there are several records. @param {Uint8Array} header @param {Uint8Array[]} entries */
function endOf(header, entries) {
  if (entries.length < 2) return Uint8Array.of(0);
  const body = joined(Uint8Array.of(0), variable(entries.length), ...entries), length = body.length + 7;
  const tail = bytesOf(length < 2 ** 24 ? length : 0, 3);
  return joined(body, bytesOf(crc32(joined(header, body, tail)), 4), tail);
}
/** Words before short metadata, and a block of raw deflate that holds them: what follows them refers to them. */
export const WORDS = new TextEncoder().encode('{"model":"{"single":true,"array":"values","values":["<i2",-1000,"eNr{"array":"pictures"}{"array":"levels"}"tags":{"33550":[1.0,1.0,0.0],"33922":["min_is_white":true,"clear":true}]]}{"icc_profile":"{"exif":"{"texts":{"Software":"{"blocks":{"gAMA":"AACxjw==","sRGB":"AA==","pHYs":"AAAOxAAADsQB"}}]]}"values":[["<u2",0]].png","P",{}]]}.png","RGBA",{}]]}.tif","I;16",{}]]}.jpg","RGB",{}]]}{"files":[[".png","L",{}]]}');
const SHORT = joined(Uint8Array.of(0), bytesOf(WORDS.length, 2), bytesOf(65535 - WORDS.length, 2), WORDS);
/** Decode an archive: the levels `[count, channels, height, width]` and labels of each record of pictures.
 *  @param {Uint8Array} file @param {Model} model @param {{begin?: import("./pointillist.js").Begin, about?: (facts: number[] | Uint8Array) => void}} [how] `begin` opens a program instead of `Run`; `about` gets type and first value of an array, or metadata: zlib's bytes, or raw deflate after `WORDS` @returns {{height: number, width: number, labels: number[], levels: Uint16Array}[]} */
export function decodeArchive(file, model, { begin = (...what) => new Run(...what), about = () => {} } = {}) {
  let position = 0;
  const take = (/** @type {number} */ count) => {
    check(position + count <= file.length, "it is cut off");
    return file.subarray(position, (position += count));
  };
  const number = () => {
    for (let value = 0, power = 1; ; power *= 128) {
      const [byte] = take(1);
      value += (byte & 127) * power;
      check(value < 2 ** 32 && (byte !== 0 || power === 1), "a number of it is none that is written");
      if (byte < 128) return value;
    }
  };
  check(hex(take(3)) === "8b5058", "it is not an archive");
  const [flags] = take(1), prefix = hex(take(4));
  check(flags >> 4 === 4 || flags >> 4 === 5 || ((flags >> 4 === 1 || flags >> 4 === 2) && (flags & 12) === 0), `version ${flags >> 4}.${flags & 15} is none of 1, 2, 4, 5`);
  check(model.fingerprint.startsWith(prefix), `it was written with the program ${prefix}`);
  const name = Object.keys(model.orders)[flags & 1 ? number() : 0], side = flags >> 4 === 2 || flags & 4 ? number() : Infinity;
  const type = flags & 8 ? number() : -1; // of an array, and then its first value; in version 5 also 32 + the length of metadata
  if (flags >> 4 === 5 && type >= 32) { check(type > 32 && type < 288, "its metadata"); about(joined(SHORT, take(type - 32))); } else if (type >= 0) about([type, number()]);
  const header = file.slice(0, position), result = [], entries = [];
  let due = 0, whole = { height: 0, width: 0, labels: [0], levels: new Uint16Array(0) };
  check(name !== undefined && side > 0, "its order, or its tiles");
  for (let start = position; ; start = position) {
    const first = number(), kind = first & 3, count = Math.floor(first / 4);
    if (kind === 0) {
      check(due === 0 && hex(endOf(header, entries)) === hex(file.subarray(start)), "the index does not fit the records");
      return result;
    }
    const [height, width] = kind === 2 ? [number(), number()] : [model.image.height, model.image.width];
    const cut = kind === 2 && (height > side || width > side), tile = cut ? number() : 0;
    const [th, tw] = [height, width].map((size) => (cut ? Math.ceil(size / Math.ceil(size / side)) : size));
    const across = Math.ceil(width / tw), tiles = across * Math.ceil(height / th);
    const fields = file.subarray(start, position), content = take(number()), body = file.subarray(start, position);
    check(count > 0 && hex(bytesOf(crc32(joined(header, body)), 4)) === hex(take(4)), "a checksum");
    entries.push(joined(fields, variable(position - start)));
    if (kind === 3) { about(content); continue; }
    const declared = count * model.image.channels * height * width;
    check(declared > 0 && declared <= 2 ** 28, "the size of a record");
    const top = Math.floor(tile / across) * th, left = (tile % across) * tw, h = Math.min(th, height - top), w = Math.min(tw, width - left);
    check(tile === due && tile < tiles && (!cut || count === 1), "a tile");
    const part = decodeRecord(content, model, orderOf(model, name), (flags & 2) > 0, count, h, w, begin);
    due = (tile + 1) % tiles;
    if (cut && tile === 0) whole = { height, width, labels: part.labels, levels: new Uint16Array(model.image.channels * height * width) };
    check(!cut || (whole.height === height && whole.width === width), "the size of a tile");
    for (let row = 0; cut && row < model.image.channels * h; row++)
      whole.levels.set(part.levels.subarray(row * w, (row + 1) * w), (Math.floor(row / h) * height + top + (row % h)) * width + left);
    if (due === 0) result.push(cut ? whole : part);
  }
}
/** Decode the pictures of a record. @param {Uint8Array} content @param {Model} model @param {Order} order @param {boolean} labelled
 *  @param {number} count @param {number} height @param {number} width @param {import("./pointillist.js").Begin} begin */
function decodeRecord(content, model, order, labelled, count, height, width, begin) {
  check(content.length % 4 !== 2, "its pictures are packed by LZMA, so decompress it in Python");
  const [th, tw] = model.fixedSize ? [model.image.height, model.image.width] : [height, width], { channels } = model.image;
  const { levels: values } = model.image, stored = content.length % 4 === 1, size = count * channels * height * width, learned = content.length % 4 === 3;
  const across = Math.ceil(width / tw), perPicture = across * Math.ceil(height / th), decoder = new RangeDecoder(content.subarray(content.length % 4));
  const number = model.orders[order.name], program = model.programs[number], [rows, columns] = order.columns ? [tw, th] : [th, tw];
  const classes = model.parts[number].find((part) => part.name === "label")?.names.length ?? 0;
  check((!labelled || classes > 0) && (!learned || /^030[01]00$/.test(hex(content.subarray(0, 3)))) && (!stored || (content[0] === 1 && content.length >= Math.floor((-size * Math.log2(1 - ((values - 1) * Math.floor(2 ** 24 / values)) / 2 ** 24)) / 8))), "its labels, or its length");
  const labels = Array.from({ length: count }, () => (labelled ? decoder.uniform(classes + 1) - 1 : -1));
  const used = Array.from({ length: learned && content[1] ? channels : 0 }, () => Array.from({ length: values }, () => decoder.uniform(2)));
  const tables = used.map((bits) => [1, 0].flatMap((bit) => bits.flatMap((each, k) => (each === bit ? [k] : []))));
  const levels = stored ? Uint16Array.from({ length: size }, () => decoder.uniform(values)) : new Uint16Array(size);
  const runs = stored ? [] : labels.flatMap((label) => Array.from({ length: perPicture }, () =>
    begin(program, rows, columns, conditions(model, order, th, tw, { label: label < 0 ? null : label }))));
  const state = new Int32Array(LEARNED), learners = learned ? runs.map(() => learner(state, program, rows, columns)) : [];
  while (!stored && !runs[0].done) {
    const { row, column, step } = runs[0], [y, x] = siteOf(order, row, column, th, tw);
    runs.forEach((run, n) => {
      const tile = n % perPicture, top = Math.floor(tile / across) * th + y, left = (tile % across) * tw + x;
      const inside = top < height && left < width, decode = learners[n] ?? (() => decoder.level(run.intervals() ?? run.frequencies(), program.head.precision)), level = inside ? decode(decoder, run) : 0;
      if (inside) levels[((Math.floor(n / perPicture) * channels + step) * height + top) * width + left] = level;
      run.observe(level);
    });
  }
  tables.forEach((table, c) => levels.forEach((level, at) => Math.floor(at / height / width) % channels === c && (levels[at] = table[level])));
  check(decoder.uniform(65536) === crc32(joined(...Array.from(levels, (level) => bytesOf(level, 2)))) % 65536 && decoder.exhausted, "the check of the pixels is wrong");
  return { height, width, labels, levels };
}
