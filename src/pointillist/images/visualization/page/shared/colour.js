// Colours of levels, and of maps of bits; with the colour scales of `pointillist.images.visualization`.

/** @typedef {[number, number, number, number]} Rgba */
/** @typedef {Api.ImageKind & {range?: [number, number]}} Kind a kind of image, with the levels that are shown black and white if they are not the least and the greatest */

// from night blue to straw, with even steps of lightness; from deep blue over paper to deep red
const HEAT = [[12, 10, 34], [64, 24, 96], [128, 37, 112], [197, 60, 92], [240, 108, 58], [251, 172, 68], [252, 240, 178]];
const BALANCE = [[13, 52, 110], [41, 107, 178], [133, 178, 220], [240, 238, 233], [236, 160, 128], [204, 75, 52], [122, 16, 32]];

/** @param {number[][]} anchors @returns {Rgba[]} 256 steps */
function ramp(anchors) {
  return Array.from({ length: 256 }, (_, step) => {
    const position = (step / 255) * (anchors.length - 1);
    const low = Math.min(Math.floor(position), anchors.length - 2);
    const mix = (/** @type {number} */ k) => anchors[low][k] + (position - low) * (anchors[low + 1][k] - anchors[low][k]);
    return /** @type {Rgba} */ ([Math.round(mix(0)), Math.round(mix(1)), Math.round(mix(2)), 255]);
  });
}
/** Colours of the checkerboard under transparent pixels. */
export const CHECK = [[255, 255, 255], [206, 206, 206]];
const HEAT_STEPS = ramp(HEAT);
const BALANCE_STEPS = ramp(BALANCE);

/** Return the step of a colour scale, clamped to its ends. @param {number} share */
const step = (share) => Math.max(0, Math.min(255, Math.round(255 * share)));

/** Return the colour of a value from 0 to 1. @param {number} share */
export const heat = (share) => HEAT_STEPS[step(share)];

/** Return the colour of a value from -1 to 1; 0 is the background. @param {number} share */
export const balance = (share) => BALANCE_STEPS[step((share + 1) / 2)];

/**
 * Return the colour of a value over a pixel in grey, so that only values light up: 0 leaves the grey.
 * @param {number[]} pixel RGBA @param {number} share the value, from -1 to 1
 */
export function balanceOver([r, g, b, a], share) {
  const light = a === 0 ? 255 : 0.3 * r + 0.59 * g + 0.11 * b, grey = 150 + 0.36 * light;
  const weight = Math.min(1, 3 * Math.abs(share)), colour = balance(Math.max(-1, Math.min(1, share)));
  return [0, 1, 2].map((i) => Math.round(grey * (1 - weight) + colour[i] * weight));
}

/** @param {number[]} colour */
export const css = ([r, g, b, a = 255]) => `rgb(${r} ${g} ${b} / ${a / 255})`;

/** Return a colour scale as a CSS gradient. @param {boolean} signed */
export const gradient = (signed) =>
  `linear-gradient(to right, ${(signed ? BALANCE : HEAT).map((colour) => css(colour)).join(", ")})`;

/** Return true for grey pictures of more than 8 bits, such as scans: codes of one channel that have an order. @param {Api.ImageKind} image */
export const isDeep = ({ ordered, levels, channels }) => ordered && levels > 256 && channels === 1;

/** Return a level as an 8-bit value; integers that are not a picture become shades. @param {Kind} image @param {number} level */
function byteOf(image, level) {
  const [low, high] = image.range ?? [0, image.levels - 1];
  return image.values?.[level] ?? Math.max(0, Math.min(255, Math.round((255 * (level - low)) / (high - low))));
}

/**
 * Return the colour of a pixel.
 * @param {Kind} image @param {number[]} levels of its channels
 * @returns {Rgba}
 */
export function colourOf(image, levels) {
  if (image.palette) return image.palette[levels[0]];
  const first = byteOf(image, levels[0]);
  if (levels.length < 3) return [first, first, first, 255];
  return [first, byteOf(image, levels[1]), byteOf(image, levels[2]), levels.length > 3 ? byteOf(image, levels[3]) : 255];
}

/** Return the colour of a level of one channel, for a swatch. @param {Kind} image @param {number} channel @param {number} level */
export function swatch(image, channel, level) {
  if (image.palette) return image.palette[level];
  if (image.channels < 3 || channel > 2) return colourOf({ ...image, channels: 1 }, [level]);
  return colourOf(image, [0, 1, 2].map((c) => (c === channel ? level : 0)));
}

// upper end of each hue in degrees, and its name
const HUES = /** @type {[number, string][]} */ ([[14, "red"], [42, "orange"], [70, "yellow"], [165, "green"], [195, "cyan"], [255, "blue"], [290, "purple"], [340, "pink"], [360, "red"]]);

/** Return hue (0 to 360), share of colour and lightness (0 to 1) of a colour. @param {number[]} colour */
function hueOf([r, g, b]) {
  const high = Math.max(r, g, b), low = Math.min(r, g, b), spread = high - low;
  const sixth = spread === 0 ? 0 : high === r ? (g - b) / spread : high === g ? 2 + (b - r) / spread : 4 + (r - g) / spread;
  return { hue: (60 * sixth + 360) % 360, share: high ? spread / high : 0, light: (high + low) / 510 };
}

const GREY = 0.14; // share of colour below which a colour is a grey

/** Name a colour: "dark red". @param {number[]} colour RGBA */
export function colourWord([r, g, b, a = 255]) {
  if (a < 128) return "transparent";
  const { hue, share, light } = hueOf([r, g, b]);
  if (light < 0.1) return "black";
  if (light > 0.95) return "white";
  const shade = light < 0.33 ? "dark " : light > 0.72 ? "light " : "";
  if (share < GREY) return `${shade}grey`;
  const name = /** @type {[number, string]} */ (HUES.find(([end]) => hue <= end))[1];
  if (name === "orange" && light < 0.45) return light < 0.25 ? "dark brown" : "brown";
  return name === "red" && light > 0.72 ? "pink" : `${shade}${name}`;
}

/** Return the levels in the order in which a chart shows them: by colour where they are names of colours. @param {Api.ImageKind} image @returns {number[]} */
export function orderOfLevels(image) {
  const levels = Array.from({ length: image.levels }, (_, level) => level);
  const { palette } = image;
  if (image.mode !== "palette" || !palette) return levels;
  const key = (/** @type {number} */ level) => {
    const { hue, share, light } = hueOf(palette[level]);
    return palette[level][3] < 128 ? -1 : share < GREY ? light : 1 + HUES.findIndex(([end]) => hue <= end) % (HUES.length - 1) + light / 2;
  };
  return levels.sort((a, b) => key(a) - key(b) || a - b);
}

/** Describe a level. @param {Api.ImageKind} image @param {number} level */
export function levelName(image, level) {
  if (image.level_names) return `${level}, ${image.level_names[level]}`;
  if (image.mode !== "palette" || !image.palette) return String(level);
  const colour = image.palette[level];
  return colour[3] === 0 ? "transparent" : `${colourWord(colour)}, ${hexOf(colour)}`;
}

/** Return a colour in hexadecimal digits, without its alpha. @param {number[]} colour */
export const hexOf = ([r, g, b]) => `#${[r, g, b].map((part) => part.toString(16).padStart(2, "0")).join("")}`;

/**
 * Return the levels nearest to a colour in hexadecimal digits; null if the text is not a colour.
 * @param {Api.ImageKind} image @param {string} text @param {number[]} before levels of channels that the colour does not have
 * @returns {number[] | null}
 */
export function nearestLevels(image, text, before) {
  const parts = /^#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text.trim())?.slice(1).map((part) => parseInt(part, 16));
  if (!parts) return null;
  const wanted = image.channels === 1 ? [0.299 * parts[0] + 0.587 * parts[1] + 0.114 * parts[2]] : parts;
  return before.map((level, channel) => (channel < wanted.length ? nearest(image, wanted[channel]) : level));
}

/** @param {Api.ImageKind} image @param {number} byte */
function nearest(image, byte) {
  let best = 0;
  for (let level = 1; level < image.levels; level++) if (Math.abs(byteOf(image, level) - byte) < Math.abs(byteOf(image, best) - byte)) best = level;
  return best;
}
