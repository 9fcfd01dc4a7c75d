// Sets of pixels: lines, rectangles, ellipses, regions, outlines. A pixel is `row * width + column`.

/** @typedef {{height: number, width: number}} Size */
/** @typedef {[number, number]} Place row and column; may lie outside */

/** @param {number} pixel @param {Size} size @returns {Place} */
export const placeOf = (pixel, { width }) => [Math.floor(pixel / width), pixel % width];

/** Return the pixel of an image under the pointer, null outside of it. @param {Element} el that shows the image @param {PointerEvent} event @param {Size} size */
export function pixelAt(el, { clientX, clientY }, { height, width }) {
  const box = el.getBoundingClientRect();
  const [row, column] = [Math.floor(((clientY - box.top) / box.height) * height), Math.floor(((clientX - box.left) / box.width) * width)];
  return pixelsOf([[row, column]], { height, width })[0] ?? null;
}

/** List the places on a line, both ends included. @param {Place} from @param {Place} to @returns {Place[]} */
export function line([row, column], [toRow, toColumn]) {
  const steps = Math.max(1, Math.abs(toRow - row), Math.abs(toColumn - column));
  const at = (/** @type {number} */ a, /** @type {number} */ b, /** @type {number} */ i) => Math.round(a + ((b - a) * i) / steps);
  return Array.from({ length: steps + 1 }, (_, i) => [at(row, toRow, i), at(column, toColumn, i)]);
}

/** Return the corners of the box of two places. @param {Place} a @param {Place} b */
const box = (a, b) => ({ top: Math.min(a[0], b[0]), bottom: Math.max(a[0], b[0]), left: Math.min(a[1], b[1]), right: Math.max(a[1], b[1]) });

/** Return the upper left corner of the box of places: of a large image, they are more than the arguments of Math.min. @param {Place[]} places */
export const cornerOf = (places) => places.reduce(([top, left], [row, column]) => /** @type {Place} */ ([Math.min(top, row), Math.min(left, column)]), /** @type {Place} */ ([Infinity, Infinity]));

/** List the places of a rectangle between two corners. @param {Place} a @param {Place} b @param {boolean} filled @returns {Place[]} */
export function rectangle(a, b, filled) {
  const { top, bottom, left, right } = box(a, b);
  /** @type {Place[]} */
  const places = [];
  for (let row = top; row <= bottom; row++)
    for (let column = left; column <= right; column++)
      if (filled || row === top || row === bottom || column === left || column === right) places.push([row, column]);
  return places;
}

/** List the places of an ellipse in the box of two corners. @param {Place} a @param {Place} b @param {boolean} filled @returns {Place[]} */
export function ellipse(a, b, filled) {
  const { top, bottom, left, right } = box(a, b);
  const [middleRow, middleColumn] = [(top + bottom) / 2, (left + right) / 2];
  const [down, across] = [(bottom - top + 1) / 2, (right - left + 1) / 2];
  const inside = (/** @type {number} */ row, /** @type {number} */ column) => ((row - middleRow) / down) ** 2 + ((column - middleColumn) / across) ** 2 <= 1;
  return rectangle(a, b, true).filter(([row, column]) => {
    if (!inside(row, column)) return false;
    return filled || !(inside(row - 1, column) && inside(row + 1, column) && inside(row, column - 1) && inside(row, column + 1));
  });
}

/** Enlarge places to squares of a brush. @param {Place[]} places @param {number} brush side of the square @returns {Place[]} */
export function thicken(places, brush) {
  if (brush === 1) return places;
  const from = brushOffset(brush);
  const square = rectangle([from, from], [from + brush - 1, from + brush - 1], true);
  return places.flatMap(([row, column]) => square.map(([down, across]) => /** @type {Place} */ ([row + down, column + across])));
}

/** Return where a brush begins, relative to the pixel under the pointer. @param {number} brush */
export const brushOffset = (brush) => -Math.floor((brush - 1) / 2);

/** @typedef {"" | "x" | "y" | "both"} Mirror `x` mirrors left and right */

/** Add the mirror images of places. @param {Place[]} places @param {Size} size @param {Mirror} mirror @returns {Place[]} */
export function mirrored(places, { height, width }, mirror) {
  let all = places;
  if (mirror === "x" || mirror === "both") all = [...all, ...all.map(([row, column]) => /** @type {Place} */ ([row, width - 1 - column]))];
  if (mirror === "y" || mirror === "both") all = [...all, ...all.map(([row, column]) => /** @type {Place} */ ([height - 1 - row, column]))];
  return all;
}

/** Convert places to pixels, without those outside. @param {Place[]} places @param {Size} size @returns {number[]} */
export const pixelsOf = (places, { height, width }) =>
  places.filter(([row, column]) => row >= 0 && column >= 0 && row < height && column < width).map(([row, column]) => row * width + column);

/** Return the region of equal pixels around a pixel, connected by their sides. @param {number} start @param {Size} size @param {(pixel: number) => boolean} same @returns {number[]} */
export function regionOf(start, size, same) {
  const seen = new Set([start]);
  const found = [start];
  for (const pixel of found)
    for (const next of neighbours(pixel, size))
      if (!seen.has(next) && same(next)) {
        seen.add(next);
        found.push(next);
      }
  return found;
}

/** @param {number} pixel @param {Size} size */
function neighbours(pixel, size) {
  const [row, column] = placeOf(pixel, size);
  return pixelsOf([[row - 1, column], [row + 1, column], [row, column - 1], [row, column + 1]], size);
}

/** List the pixels whose middle lies within a polygon, and the pixels of its outline. @param {Place[]} corners @param {Size} size @returns {number[]} */
export function polygon(corners, size) {
  /** @type {Place[]} */
  const places = corners.flatMap((corner, i) => line(corner, corners[(i + 1) % corners.length]));
  for (let row = 0; row < size.height; row++)
    for (let column = 0; column < size.width; column++) if (isInside([row, column], corners)) places.push([row, column]);
  return [...new Set(pixelsOf(places, size))];
}

/** Count crossings of a ray to the right. @param {Place} place @param {Place[]} corners */
function isInside([row, column], corners) {
  let inside = false;
  corners.forEach(([r1, c1], i) => {
    const [r0, c0] = corners[(i + corners.length - 1) % corners.length];
    if (r1 > row !== r0 > row && column < ((c0 - c1) * (row - r1)) / (r0 - r1) + c1) inside = !inside;
  });
  return inside;
}

/** Make a mask of pixels. @param {number[]} pixels @param {Size} size */
export function maskOf(pixels, { height, width }) {
  const mask = new Uint8Array(height * width);
  for (const pixel of pixels) mask[pixel] = 1;
  return mask;
}

/** Return the outline of a mask as the path of an SVG, one unit for each pixel. @param {Uint8Array} mask @param {Size} size */
export function outlinePath(mask, { height, width }) {
  const is = (/** @type {number} */ row, /** @type {number} */ column) => row >= 0 && column >= 0 && row < height && column < width && mask[row * width + column] === 1;
  let path = "";
  for (let row = 0; row <= height; row++)
    for (let column = 0; column <= width; column++) {
      if (is(row, column) !== is(row - 1, column)) path += `M${column} ${row}h1`;
      if (is(row, column) !== is(row, column - 1)) path += `M${column} ${row}v1`;
    }
  return path;
}
