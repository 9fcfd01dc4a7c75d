// Arithmetic of integers up to 2^53, as docs/reference/program_format.md defines it.

export const POWERS = Float64Array.from({ length: 64 }, (_, s) => 2 ** s);

/** Reject a file. @param {boolean} fine @param {string} why @returns {asserts fine} */
export function check(fine, why) {
  if (!fine) throw new Error(`The file is damaged or not supported: ${why}.`);
}

/** Divide by a power of two, to the nearest, halves upwards; or multiply. @param {number} x @param {number} by */
export const shift = (x, by) => (by > 0 ? Math.floor((x + POWERS[by - 1]) / POWERS[by]) : x * POWERS[-by]);
/** @param {number} x @param {number} low @param {number} high */
export const clamp = (x, low, high) => (x < low ? low : x > high ? high : x);
/** Return the largest number: of 65,536 levels, old engines do not take as many arguments of Math.max. @param {ArrayLike<number>} numbers */
export function largest(numbers) {
  let most = -Infinity;
  for (let i = 0; i < numbers.length; i++) if (numbers[i] > most) most = numbers[i];
  return most;
}
/** Read a table of odd length with 0 in its middle. @param {any} table @param {number} x */
export const lookup = (table, x) => table[clamp(x, (1 - table.length) / 2, (table.length - 1) / 2) + (table.length - 1) / 2];
/** floor(a b / 2^bits) where a b may need 64 bits. @param {number} a @param {number} b @param {number} bits */
export function mulShift(a, b, bits) {
  const part = POWERS[Math.min(bits, 20)], high = Math.floor(a / part);
  return Math.floor((high * b + Math.floor(((a - high * part) * b) / part)) / (POWERS[bits] / part));
}
/** Read a table by linear interpolation at x; entries are `step` apart, 0 in the middle.
 *  @param {any} table @param {number} x @param {number} step */
export function interpolate(table, x, step = 256) {
  const middle = (table.length - 1) / 2, index = clamp(Math.floor(x / step) + middle, 0, table.length - 2);
  return table[index] + Math.floor(((table[index + 1] - table[index]) * clamp(x - (index - middle) * step, 0, step)) / step);
}
