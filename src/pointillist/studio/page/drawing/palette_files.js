// Palettes from files: GIMP (.gpl), hexadecimal lines (.hex), and pictures, each colour once.

/** @typedef {[number, number, number]} Rgb */

const MOST = 4096; // colours

/** Read the colours of a file. @param {File} file @returns {Promise<Rgb[]>} @throws {Error} in a sentence */
export async function readPalette(file) {
  const colours = file.type.startsWith("image/") ? await coloursOf(file) : parsePalette(await file.text());
  if (!colours.length) throw new Error(`${file.name} holds no colours: choose a .gpl, .hex or .png file.`);
  return colours.slice(0, MOST);
}

/** Parse lines such as `255 128 0 orange` or `ff8000`. @param {string} text @returns {Rgb[]} */
export function parsePalette(text) {
  return text.split(/\r?\n/).flatMap((line) => {
    const numbers = /^\s*(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})(\s|$)/.exec(line)?.slice(1, 4).map(Number);
    if (numbers?.every((part) => part < 256)) return [/** @type {Rgb} */ (numbers)];
    const digits = /^\s*#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})\s*$/i.exec(line)?.slice(1).map((part) => parseInt(part, 16));
    return digits ? [/** @type {Rgb} */ (digits)] : [];
  });
}

/** List the opaque colours of a picture. @param {File} file @returns {Promise<Rgb[]>} */
async function coloursOf(file) {
  const picture = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name} is not a readable picture.`);
  });
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d");
  context?.drawImage(picture, 0, 0);
  const { data } = /** @type {OffscreenCanvasRenderingContext2D} */ (context).getImageData(0, 0, picture.width, picture.height);
  /** @type {Map<number, Rgb>} */
  const found = new Map();
  for (let i = 0; i < data.length && found.size < MOST; i += 4) if (data[i + 3] >= 128) found.set((data[i] << 16) | (data[i + 1] << 8) | data[i + 2], [data[i], data[i + 1], data[i + 2]]);
  return [...found.values()];
}

/** Replace each colour of a palette by the nearest of others; transparent ones stay. @param {number[][]} palette @param {Rgb[]} colours @returns {[number, number, number, number][]} */
export function recoloured(palette, colours) {
  const distance = (/** @type {number[]} */ a, /** @type {number[]} */ b) => 2 * (a[0] - b[0]) ** 2 + 4 * (a[1] - b[1]) ** 2 + 3 * (a[2] - b[2]) ** 2; // nearer to what the eye sees than equal weights
  return palette.map(([r, g, b, a]) => {
    if (a < 128) return [r, g, b, a];
    const best = colours.reduce((one, other) => (distance(other, [r, g, b]) < distance(one, [r, g, b]) ? other : one));
    return [...best, a];
  });
}
