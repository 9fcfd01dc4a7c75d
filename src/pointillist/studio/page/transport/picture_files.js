// PNG files of images, as the studio's server makes them, and GIF files of paintings.

import { shownKind } from "../canvas/draw_image.js";
import { colourOf, isDeep } from "../shared/colour.js";
import { decodeArray } from "./encoded_arrays.js";
import { crc32 } from "./zip.js";

/** @typedef {{height: number, width: number, pixels: Uint8Array}} Picture straight-alpha RGBA `[h w 4]` */

const PAPER = [255, 255, 255], DARK = [24, 24, 28], UNPAINTED = { light: [196, 204, 216], dark: [50, 54, 66] };
const LONGEST = 480, SECONDS = 6, HOLD = 2.5;

/**
 * Draw levels: a colour each, or a tile.
 * @param {Api.ImageKind} kind @param {Api.EncodedArray} encoded @param {boolean} tiled whether a map is drawn by its tiles @param {number} scale
 * @returns {Picture}
 */
export function pictureOf(kind, encoded, tiled, scale) {
  const [channels, height, width] = encoded.shape, levels = decodeArray(encoded), size = height * width;
  const shown = shownKind(kind, { levels, known: new Uint8Array(size).fill(1) });
  const tiles = tiled && kind.tiles ? { bytes: decodeArray(kind.tiles), high: kind.tiles.shape[1], wide: kind.tiles.shape[2] } : null;
  const [high, wide] = [(tiles?.high ?? 1) * scale, (tiles?.wide ?? 1) * scale], pixels = new Uint8Array(4 * size * high * wide);
  for (let row = 0, to = 0; row < height * high; row++) for (let column = 0; column < width * wide; column++, to += 4) {
    const pixel = Math.floor(row / high) * width + Math.floor(column / wide);
    if (tiles) {
      const at = ((levels[pixel] * tiles.high + Math.floor((row % high) / scale)) * tiles.wide + Math.floor((column % wide) / scale)) * 4;
      pixels.set(/** @type {Uint8Array} */ (tiles.bytes).subarray(at, at + 4), to);
    } else pixels.set(colourOf(shown, Array.from({ length: channels }, (_, c) => levels[c * size + pixel])), to);
  }
  return { height: height * high, width: width * wide, pixels };
}

/** Compress by zlib. @param {Uint8Array} bytes */
async function deflate(bytes) {
  const stream = new Blob([/** @type {BlobPart} */ (bytes)]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** @param {string} kind @param {Uint8Array} content */
function chunk(kind, content) {
  const bytes = new Uint8Array(12 + content.length), view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(new TextEncoder().encode(kind), 4);
  bytes.set(content, 8);
  view.setUint32(8 + content.length, crc32(bytes.subarray(4, 8 + content.length)));
  return bytes;
}

/** @typedef {{height: number, width: number, bits: number, colours: number, raw: Uint8Array}} Rows what a PNG file holds: rows without a filter, and its kinds of pixels by number */

/** Write 16-bit levels as rows of grey, as they are. @param {Api.EncodedArray} encoded @param {number} scale @returns {Rows} */
function greyRows(encoded, scale) {
  const [, height, width] = encoded.shape.map((side) => side * scale), levels = decodeArray(encoded), own = encoded.shape[2];
  const raw = new Uint8Array(height * (1 + 2 * width)), view = new DataView(raw.buffer);
  for (let row = 0; row < height; row++) for (let column = 0; column < width; column++)
    view.setUint16(row * (1 + 2 * width) + 1 + 2 * column, levels[Math.floor(row / scale) * own + Math.floor(column / scale)]);
  return { height, width, bits: 16, colours: 0, raw };
}

/** @param {Picture} picture @param {boolean} clear whether white is transparent, and black the colour @returns {Rows} */
function colourRows({ height, width, pixels }, clear) {
  if (clear) for (let i = 0; i < pixels.length; i += 4) pixels.set([0, 0, 0, 255 - pixels[i]], i); // paper is transparent
  const opaque = pixels.every((value, i) => i % 4 !== 3 || value === 255), wide = opaque ? 3 : 4;
  const raw = new Uint8Array(height * (1 + width * wide));
  for (let row = 0, to = 0; row < height; row++) {
    to++; // no filter
    for (let column = 0; column < width; column++, to += wide) raw.set(pixels.subarray(4 * (row * width + column), 4 * (row * width + column) + wide), to);
  }
  return { height, width, bits: 8, colours: opaque ? 2 : 6, raw };
}

/** Encode an image as a PNG file, with its manifest. @param {Api.ImageKind} kind @param {Api.PngRequest} request */
export async function png(kind, { levels, scale = 1, manifest = null, palette = null }) {
  const { height, width, bits, colours, raw } = isDeep(kind) ? greyRows(levels, scale) : colourRows(pictureOf({ ...kind, palette: palette ?? kind.palette }, levels, true, scale), kind.min_is_white);
  const head = new Uint8Array(13), view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([bits, colours, 0, 0, 0], 8);
  const ascii = JSON.stringify(manifest).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const text = manifest ? [chunk("tEXt", new TextEncoder().encode(`pointillist-manifest\0${ascii}`))] : [];
  const parts = [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10), chunk("IHDR", head), ...text, chunk("IDAT", await deflate(raw)), chunk("IEND", new Uint8Array(0))];
  return new Blob(/** @type {BlobPart[]} */ (parts), { type: "image/png" });
}

/** Compress palette indices as GIF files do (LZW). @param {Uint8Array} indices @param {number} bits of an index, at least 2 */
function lzw(indices, bits) {
  const clear = 2 ** bits, out = [];
  let width = bits + 1, next = clear + 2, buffer = 0, filled = 0;
  /** @type {Map<number, number>} */
  let codes = new Map();
  const write = (/** @type {number} */ code) => {
    buffer |= code << filled;
    for (filled += width; filled >= 8; filled -= 8, buffer >>>= 8) out.push(buffer & 255);
  };
  write(clear);
  let prefix = indices[0];
  for (const index of indices.subarray(1)) {
    const key = prefix * 256 + index, known = codes.get(key);
    if (known !== undefined) { prefix = known; continue; }
    write(prefix);
    codes.set(key, next++);
    if (next > 2 ** width && width < 12) width++;
    if (next === 4096) {
      write(clear);
      codes = new Map();
      next = clear + 2;
      width = bits + 1;
    }
    prefix = index;
  }
  write(prefix);
  write(clear + 1);
  if (filled) out.push(buffer & 255);
  const blocks = [bits];
  for (let i = 0; i < out.length; i += 255) blocks.push(Math.min(255, out.length - i), ...out.slice(i, i + 255));
  return [...blocks, 0];
}

/** Colours of pixels as indices of a palette of at most 255; more colours are made coarser. @param {Uint8Array} pixels RGBA @param {number[]} ground */
function indexed(pixels, ground) {
  for (let step = 1; ; step *= 2) {
    /** @type {Map<number, number>} */
    const palette = new Map(), indices = new Uint8Array(pixels.length / 4);
    for (let i = 0; i < indices.length && palette.size <= 255; i++) {
      const mixed = [0, 1, 2].map((k) => Math.round((pixels[4 * i + k] * pixels[4 * i + 3] + ground[k] * (255 - pixels[4 * i + 3])) / 255));
      const [r, g, b] = mixed.map((v) => Math.min(255, Math.floor(v / step) * step + (step >> 1)));
      const colour = (r << 16) | (g << 8) | b, index = palette.get(colour) ?? palette.size;
      palette.set(colour, index);
      indices[i] = index;
    }
    if (palette.size <= 255) return { palette: [...palette.keys()], indices };
  }
}

/**
 * Encode the painting of an image as an animation: each frame adds the next pixels.
 * @param {Api.ImageKind} kind @param {Api.EncodedArray} image @param {ArrayLike<number>} sequence pixels in generation order, without known ones
 * @param {{known?: Uint8Array | null, frames?: number, dark?: boolean}} [options] `known`: pixels that are there in the first frame; `dark`: the background
 */
export function gif(kind, image, sequence, { known = null, frames = 120, dark = false } = {}) {
  const [, height, width] = image.shape, { pixels } = pictureOf(kind, image, false, 1);
  const { palette, indices } = indexed(pixels, dark ? DARK : PAPER), empty = palette.length;
  const [r, g, b] = UNPAINTED[dark ? "dark" : "light"], bits = Math.max(2, Math.ceil(Math.log2(palette.length + 1)));
  const times = Math.max(1, Math.floor(LONGEST / Math.max(height, width)));
  const word = (/** @type {number} */ n) => [n & 255, n >> 8], table = [...palette, (r << 16) | (g << 8) | b];
  const out = [...new TextEncoder().encode("GIF89a"), ...word(width * times), ...word(height * times), 0x80 | (bits - 1), 0, 0];
  for (let i = 0; i < 2 ** bits; i++) out.push((table[i] ?? 0) >> 16, ((table[i] ?? 0) >> 8) & 255, (table[i] ?? 0) & 255);
  out.push(0x21, 0xff, 11, ...new TextEncoder().encode("NETSCAPE2.0"), 3, 1, 0, 0, 0);
  const shown = Uint8Array.from(indices, (index, pixel) => (known?.[pixel] ? index : empty)), hidden = Array.from(sequence);
  const steps = Math.max(1, Math.min(hidden.length, frames - 1)), delay = Math.max(2, Math.min(12, Math.round((100 * SECONDS) / steps)));
  /** Write the rows and columns that changed. @param {number[]} changed @param {number} hundredths */
  const frame = (changed, hundredths) => {
    let [top, left, bottom, right] = [height, width, 0, 0]; // a loop: all pixels are too many arguments of Math.min
    for (const pixel of changed) {
      const row = Math.floor(pixel / width), column = pixel % width;
      [top, left, bottom, right] = [Math.min(top, row), Math.min(left, column), Math.max(bottom, row), Math.max(right, column)];
    }
    const high = bottom - top + 1, wide = right - left + 1;
    const part = new Uint8Array(high * wide * times * times);
    for (let y = 0, to = 0; y < high * times; y++) for (let x = 0; x < wide * times; x++, to++)
      part[to] = shown[(top + Math.floor(y / times)) * width + left + Math.floor(x / times)];
    out.push(0x21, 0xf9, 4, 4, ...word(hundredths), 0, 0, 0x2c, ...word(left * times), ...word(top * times), ...word(wide * times), ...word(high * times), 0);
    for (const byte of lzw(part, bits)) out.push(byte);
  };
  frame([...indices.keys()], delay);
  for (let step = 0; step < steps; step++) {
    const changed = hidden.slice(Math.ceil((hidden.length * step) / steps), Math.ceil((hidden.length * (step + 1)) / steps));
    for (const pixel of changed) shown[pixel] = indices[pixel];
    if (changed.length) frame(changed, step === steps - 1 ? 100 * HOLD : delay);
  }
  out.push(0x3b);
  return new Blob([Uint8Array.from(out)], { type: "image/gif" });
}
