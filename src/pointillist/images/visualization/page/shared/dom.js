// Creation of HTML and SVG elements, and formatting of numbers.

const SVG = "http://www.w3.org/2000/svg";

/** Create an HTML element: sets properties where they exist, adds listeners for `on...`, else sets attributes. @template {keyof HTMLElementTagNameMap} K
 *  @param {K} tag @param {Record<string, any>} [props] @param {...(Node | string | null | false)} children @returns {HTMLElementTagNameMap[K]} */
export function html(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) setProperty(el, name, value);
  el.append(...children.filter((child) => child !== null && child !== false));
  return el;
}

/** Create a button with a name. @param {string} name @param {string} title @param {() => unknown} act @param {Record<string, any>} [more] properties */
export const button = (name, title, act, more) => html("button", { type: "button", title, onclick: () => act(), ...more }, name);

/** @param {HTMLElement} el @param {string} name @param {any} value */
function setProperty(el, name, value) {
  if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
  else if (name.startsWith("aria-")) el.setAttribute(name, String(value));
  else if (name in el && name !== "list") Reflect.set(el, name, value);
  else if (value === true) el.setAttribute(name, "");
  else if (value !== false && value !== null && value !== undefined) el.setAttribute(name, String(value));
}

/** Create an SVG element. @template {keyof SVGElementTagNameMap} K @param {K} tag @param {Record<string, string | number>} [attributes] @param {...(Node | string)} children @returns {SVGElementTagNameMap[K]} */
export function svg(tag, attributes = {}, ...children) {
  const el = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) el.setAttribute(name, String(value));
  el.append(...children);
  return el;
}

/** Set the text only if it differs: a screen reader would announce it again. @param {Element} el @param {string} text */
export function setText(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/** Replace children only if `key` has changed. @param {Element & {shown?: string}} el @param {string} key @param {() => (Node | string)[]} create */
export function updateChildren(el, key, create) {
  if (el.shown === key) return;
  el.shown = key;
  el.replaceChildren(...create());
}

let numbered = 0;
const NUMBERS = /** @type {WeakMap<object, number>} */ (new WeakMap());

/** Return a number that names an object, for keys of what is shown. @param {object} object */
export function numberOf(object) {
  if (!NUMBERS.has(object)) NUMBERS.set(object, ++numbered);
  return NUMBERS.get(object);
}

/** Format a number with fixed decimals. @param {number} value @param {number} [decimals] */
export const formatFixed = (value, decimals = 2) => value.toFixed(decimals).replace("-", "\u2212").replace(/^\u2212(0(?:\.0*)?)$/, "$1");

/** Format a probability as a percentage. @param {number} p */
export const formatPercent = (p) => (p >= 0.1 ? `${(100 * p).toFixed(0)} %` : p >= 0.001 ? `${(100 * p).toFixed(1)} %` : "< 0.1 %");

/** Format an integer with separators. @param {number} n */
export const formatInteger = (n) => n.toLocaleString("en");

/** Format a number of bits. @param {number} bits */
export const formatBits = (bits) => `${formatFixed(bits, Math.abs(bits) < 10 ? 2 : 1)} bits`;

/** Say how likely something of so many bits was. @param {number} bits */
export function oneIn(bits) {
  if (bits < 0.05) return "as good as certain";
  const chances = 2 ** bits;
  if (chances < 10) return `1 in ${chances.toFixed(1)}`;
  if (chances >= 1e15) return `1 in 2 to the ${Math.round(bits)}`;
  return `1 in ${formatInteger(Math.round(chances < 1e7 ? chances : Number(chances.toPrecision(2))))}`;
}

const DIRECTIONS = /[\u202a-\u202e\u2066-\u2069]/g; // letters that reverse the text around them

/** Replace letters that reverse the text around them, in names of strangers. @param {string} text */
export const inOneDirection = (text) => text.replace(DIRECTIONS, "\ufffd");

/** Return true if an element is shown in dark colours: by its own setting, else by the system's. @param {Element} el */
export function isDark(el) {
  const scheme = getComputedStyle(el).colorScheme;
  return scheme.includes("light") ? scheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches : scheme.includes("dark");
}

/** Move the focus from an element to the studio around it. @param {Element} el */
export const returnFocus = (el) => /** @type {HTMLElement | null} */ (el.closest(".studio"))?.focus({ preventScroll: true });

/** Scroll what contains an element as little as shows it: within its document, never the page around a frame, which `scrollIntoView` scrolls too. @param {Element} el */
export function reveal(el) {
  for (let area = el.parentElement; area; area = area.parentElement) {
    const whole = area === document.scrollingElement;
    if (!whole && !/auto|scroll/.test(getComputedStyle(area).overflow)) continue;
    const box = el.getBoundingClientRect();
    const { left, top } = whole ? { left: 0, top: 0 } : area.getBoundingClientRect();
    area.scrollBy({ left: shortest(box.left - left - area.clientLeft, box.width, area.clientWidth), top: shortest(box.top - top - area.clientTop, box.height, area.clientHeight), behavior: "instant" });
  }
}

/** Return the least distance to scroll so that a range is in view. @param {number} start @param {number} length @param {number} view */
function shortest(start, length, view) {
  const after = start + length - view; // how far the range ends after the view
  if ((start < 0 && after > 0) || (start >= 0 && after <= 0)) return 0;
  return Math.abs(start) < Math.abs(after) ? start : after;
}

/** Download a file. @param {Blob} blob @param {string} name */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  html("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
