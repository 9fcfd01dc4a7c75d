// The studio in the output of a notebook's cell: its style and keys are shut off from the notebook's.

import { h } from "./dom.js";
import studio from "./studio.js";
import { Wire } from "./wire.js";

const SILENT =
  "The kernel does not answer: while a cell is running, the studio may have to wait for it; after a restart, run the cell of the studio again.";
const HOST = ".fresh { all: initial; display: block; } .silent { margin: 0; padding: 8px 16px; font: 14px/1.45 system-ui, sans-serif; color: #1d0d06; background: #ffb199; }";

/** @param {{model: import("./wire.js").Comm, el: HTMLElement}} where @param {string} style */
export function render({ model, el }, style) {
  const around = h("div", { "data-lm-suppress-shortcuts": "true" }); // Jupyter's shortcuts; `b` adds a cell there
  for (const kind of ["keydown", "keypress", "keyup"]) around.addEventListener(kind, (event) => event.stopPropagation());
  const silent = h("p", { className: "silent", role: "status", hidden: true }, SILENT);
  const place = h("div");
  const fresh = h("div", { className: "fresh" }, silent, place);
  fresh.style.setProperty("--height", `${model.get("height")}px`);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(HOST + style);
  const shadow = around.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = [sheet];
  shadow.append(fresh);
  el.append(around);

  const wire = new Wire(model, (on) => (silent.hidden = !on));
  const host = { get: (/** @type {string} */ name) => (name === "send" ? wire.send : "/") };
  const end = studio.render({ model: /** @type {import("./studio.js").Host} */ (host), el: place });
  // it may not be on the page yet, and notebooks change their colours
  const watch = new ResizeObserver(() => (fresh.style.colorScheme = isDarkBehind(around) ? "dark" : "light"));
  watch.observe(around);
  const over = () => {
    wire.close();
    end();
    watch.disconnect();
    window.removeEventListener("pagehide", over);
    around.remove();
  };
  window.addEventListener("pagehide", over);
  return over;
}

/** Whether the nearest ground behind an element is dark. @param {Element} el */
function isDarkBehind(el) {
  for (let at = /** @type {Element | null} */ (el); at; at = at.parentElement ?? hostOf(at)) {
    const [, rgb, alpha] = getComputedStyle(at).backgroundColor.match(/^rgba?\((\d+, \d+, \d+)(?:, ([\d.]+))?/) ?? [];
    if (!rgb || Number(alpha ?? 1) < 0.5) continue;
    const [red, green, blue] = rgb.split(", ").map(Number);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 128;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/** The element whose shadow an element is in. @param {Element} el */
function hostOf(el) {
  const root = el.getRootNode();
  return root instanceof ShadowRoot ? root.host : null;
}
