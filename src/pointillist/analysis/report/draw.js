// Maps and charts of the pixel under the pointer.
// @ts-check

/** @param {string} text */
const safe = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** A number with some decimals. @param {number} value @param {number} digits */
const short = (value, digits = 2) => (Object.is(value, -0) ? 0 : value).toFixed(digits).replace("-", "\u2212");

/** How likely something of so many bits was. @param {number} bits */
const oneIn = (bits) => (bits < 0.05 ? "all but certain" : `1 in ${bits < 3.4 ? (2 ** bits).toFixed(1) : bits < 24 ? Math.round(2 ** bits).toLocaleString("en") : (2 ** bits).toExponential(0)}`);

/** A share as a percentage. @param {number} p */
const percent = (p) => (p >= 0.1 ? `${(100 * p).toFixed(0)} %` : p >= 0.001 ? `${(100 * p).toFixed(1)} %` : "< 0.1 %");

/**
 * Draw a map, one canvas pixel for each pixel; the style sheet enlarges it.
 * @param {HTMLCanvasElement} canvas @param {number} h @param {number} w @param {(site: number) => number[]} colour
 */
function drawMap(canvas, h, w, colour) {
  canvas.width = w;
  canvas.height = h;
  const context = canvas.getContext("2d");
  if (!context) return;
  const picture = context.createImageData(w, h);
  for (let site = 0; site < h * w; site++) {
    const [r, g, b, a = 255] = colour(site);
    picture.data.set([r, g, b, a], 4 * site);
  }
  context.putImageData(picture, 0, 0);
}

const SWATCHES = 256; // above this many levels their colours would be narrower than a line

/** Colour of a value on a scale of 256. @param {number[][]} scale @param {number} share from 0 to 1 */
const onScale = (scale, share) => scale[Math.max(0, Math.min(255, Math.round(255 * share)))];

/**
 * Draw the levels of one sub-pixel as bars, the observed one in the accent colour.
 * @param {Distribution} d @param {number} observed @param {number} k @param {(level: number) => string} swatch
 */
function bars(d, observed, k, swatch) {
  const width = 480, left = 44, right = 472, top = 30, bottom = 148;
  const shown = d.levels === null ? k : d.levels.length;
  const best = d.probs.reduce((a, b) => Math.max(a, b), 0);
  const high = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1].find((n) => n >= Math.min(1, best)) || 1;
  const slot = (right - left) / shown, gap = shown <= 64 ? slot * 0.1 : 0;
  const y = (/** @type {number} */ p) => bottom - ((bottom - top) * Math.min(p, high)) / high;
  const x = (/** @type {number} */ slotIndex) => left + slot * (slotIndex + 0.5);
  const out = [0.5, 1].map((share) => {
    const at = y(high * share);
    return `<polyline class="grid" points="${left},${at} ${right},${at}"/><text class="soft" x="${left - 7}" y="${at + 4}" text-anchor="end">${+(high * share).toFixed(3)}</text>`;
  });
  const order = d.levels === null ? Array.from({ length: k }, (_, i) => i) : d.levels.map((_, i) => i).sort((a, b) => /** @type {number[]} */ (d.levels)[a] - /** @type {number[]} */ (d.levels)[b]);
  let mark = -1;
  order.forEach((index, slotIndex) => {
    const level = d.levels === null ? index : d.levels[index];
    if (level === observed) mark = slotIndex;
    const size = Math.max(bottom - y(d.probs[index]), 0.6);
    out.push(`<rect class="bar${level === observed ? " seen" : ""}" x="${(left + slot * slotIndex + gap).toFixed(2)}" y="${(bottom - size).toFixed(2)}" width="${Math.max(slot - 2 * gap, 0.5).toFixed(2)}" height="${size.toFixed(2)}"/>`);
    if (shown <= SWATCHES) out.push(`<rect x="${(left + slot * slotIndex + gap).toFixed(2)}" y="${bottom + 3}" width="${(slot - 2 * gap).toFixed(2)}" height="6" style="fill:${swatch(level)}" class="swatch"/>`);
  });
  for (const part of d.parts)
    if (part.weight >= 0.01)
      out.push(`<polyline class="line" points="${Array.from(part.masses, (mass, level) => `${x(level).toFixed(1)},${y(mass).toFixed(1)}`).join(" ")}"/>`);
  if (d.quantiles && d.levels === null) {
    const of = (/** @type {number} */ i) => x(/** @type {[number, number][]} */ (d.quantiles)[i][1]).toFixed(1);
    out.push(`<polyline class="whisker" points="${of(0)},22 ${of(4)},22"/><polyline class="box" points="${of(1)},22 ${of(3)},22"/><circle class="median" cx="${of(2)}" cy="22" r="3"/>`);
  }
  out.push(`<polyline class="axis" points="${left},${bottom} ${right},${bottom}"/>`);
  if (mark >= 0) out.push(`<polygon class="there" points="${x(mark)},${bottom + 10} ${x(mark) - 5},${bottom + 18} ${x(mark) + 5},${bottom + 18}"/>`);
  const ticks = d.levels === null ? [...new Set([0, Math.floor((k - 1) / 2), k - 1])].map((level) => [level, level]) : order.map((index, slotIndex) => [slotIndex, /** @type {number[]} */ (d.levels)[index]]).filter((_, i) => i % 5 === 0);
  for (const [slotIndex, level] of ticks) out.push(`<text class="soft" x="${x(slotIndex)}" y="${bottom + 31}" text-anchor="middle">${level}</text>`);
  out.push(`<text class="soft" x="0" y="11">probability</text><text class="soft" x="${(left + right) / 2}" y="${bottom + 47}" text-anchor="middle">level</text>`);
  return `<svg class="chart" viewBox="0 0 ${width} ${bottom + 52}" role="img" aria-label="Probabilities of the levels">${out.join("")}</svg>`;
}

/** List the likeliest levels. @param {Distribution} d @param {number} observed @param {(level: number) => string} swatch */
function topList(d, observed, swatch) {
  const levels = d.levels === null ? Array.from(d.probs, (_, i) => i) : d.levels;
  const best = levels.map((level, i) => ({ level, p: d.probs[i] })).sort((a, b) => b.p - a.p).slice(0, 5);
  return best.map(({ level, p }) => `<li${level === observed ? ' class="seen"' : ""}><i style="background:${swatch(level)}"></i>${level}<b>${percent(p)}</b></li>`).join("");
}
