// Making elements, and numbers in words.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element: properties where it has them, listeners for `on...`, attributes otherwise.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Record<string, any>} [props] @param {...(Node | string | null | false)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) put(el, name, value);
  el.append(...children.filter((child) => child !== null && child !== false));
  return el;
}

/** @param {HTMLElement} el @param {string} name @param {any} value */
function put(el, name, value) {
  if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
  else if (name.startsWith("aria-")) el.setAttribute(name, String(value));
  else if (name in el && name !== "list") Reflect.set(el, name, value);
  else if (value === true) el.setAttribute(name, "");
  else if (value !== false && value !== null && value !== undefined) el.setAttribute(name, String(value));
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag @param {Record<string, string | number>} [attributes] @param {...(Node | string)} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function s(tag, attributes = {}, ...children) {
  const el = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) el.setAttribute(name, String(value));
  el.append(...children);
  return el;
}

/** Set only what differs: a reader would say it again. @param {Element} el @param {string} text */
export function say(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/** Replace children only when what they show has changed. @param {Element & {shown?: string}} el @param {string} key @param {() => (Node | string)[]} make */
export function refill(el, key, make) {
  if (el.shown === key) return;
  el.shown = key;
  el.replaceChildren(...make());
}

/** A number with so many places. @param {number} value @param {number} [places] */
export const fixed = (value, places = 2) => value.toFixed(places).replace("-", "\u2212").replace(/^\u2212(0(?:\.0*)?)$/, "$1");

/** A share as a percentage. @param {number} p */
export const percent = (p) => (p >= 0.1 ? `${(100 * p).toFixed(0)} %` : p >= 0.001 ? `${(100 * p).toFixed(1)} %` : "< 0.1 %");

/** A whole number with thin spaces. @param {number} n */
export const whole = (n) => n.toLocaleString("en");

/** Bits in words. @param {number} bits */
export const bitsOf = (bits) => `${fixed(bits, Math.abs(bits) < 10 ? 2 : 1)} bits`;

/** Whether an element is shown dark: as switched, else as the system is. @param {Element} el */
export function isDark(el) {
  const scheme = getComputedStyle(el).colorScheme;
  return scheme.includes("light") ? scheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches : scheme.includes("dark");
}

/** The element in focus, also within a shadow. @param {Element} el one beside it */
export const inFocus = (el) => /** @type {Document | ShadowRoot} */ (el.getRootNode()).activeElement;

/** Hand the focus from an element to the studio around it. @param {Element} el */
export const stepBack = (el) => /** @type {HTMLElement | null} */ (el.closest(".studio"))?.focus({ preventScroll: true });

/** Offer a file. @param {Blob} blob @param {string} name */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
