// The studio in the output of a notebook cell; its style and keys are isolated from the notebook's.

import { html } from "./shared/dom.js";
import studio from "./studio.js";
import { CommTransport } from "./transport/comm_transport.js";

const SILENT =
  "The kernel does not answer: while a cell is running, the studio may have to wait for it. After a restart, run the studio's cell again.";
const HOST = ".page { all: initial; display: block; } .silent { margin: 0; padding: 8px 16px; font: 14px/1.45 system-ui, sans-serif; color: #1d0d06; background: #ffb199; }";

/** @param {{model: import("./transport/comm_transport.js").Comm, el: HTMLElement}} context @param {string} style */
export function render({ model, el }, style) {
  const container = html("div", { "data-lm-suppress-shortcuts": "true" }); // turns off Jupyter's shortcuts, where `b` adds a cell
  for (const kind of ["keydown", "keypress", "keyup"]) container.addEventListener(kind, (event) => event.stopPropagation());
  const silent = html("p", { className: "silent", role: "status", hidden: true }, SILENT);
  const mount = html("div");
  const page = html("div", { className: "page" }, silent, mount);
  page.style.setProperty("--height", `${model.get("height")}px`);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(HOST + style);
  const shadow = container.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = [sheet];
  shadow.append(page);
  el.append(container);

  const transport = new CommTransport(model, (on) => (silent.hidden = !on));
  const host = { get: (/** @type {string} */ name) => ({ send: transport.send, address: "/" })[name] };
  const end = studio.render({ model: /** @type {import("./studio.js").Host} */ (host), el: mount });
  // the element may not be attached yet, and notebooks change their colours
  const observer = new ResizeObserver(() => (page.style.colorScheme = isDarkBehind(container) ? "dark" : "light"));
  observer.observe(container);
  const remove = () => {
    transport.close();
    end();
    observer.disconnect();
    window.removeEventListener("pagehide", remove);
    container.remove();
  };
  window.addEventListener("pagehide", remove);
  return remove;
}

/** Return true if the nearest background of an element is dark. @param {Element} el */
function isDarkBehind(el) {
  for (let at = /** @type {Element | null} */ (el); at; at = at.parentElement ?? hostOf(at)) {
    const [, rgb, alpha] = getComputedStyle(at).backgroundColor.match(/^rgba?\((\d+, \d+, \d+)(?:, ([\d.]+))?/) ?? [];
    if (!rgb || Number(alpha ?? 1) < 0.5) continue;
    const [red, green, blue] = rgb.split(", ").map(Number);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 128;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Return the host of the shadow root that contains an element. @param {Element} el */
function hostOf(el) {
  const root = el.getRootNode();
  return root instanceof ShadowRoot ? root.host : null;
}
