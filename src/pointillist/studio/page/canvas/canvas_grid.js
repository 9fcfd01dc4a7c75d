// The canvases side by side, as large as they fit, and the legend of their overlay.

import { gradient } from "../shared/colour.js";
import { SETTING_NAMES, describeAdvanced, describeConditions } from "../state/paint_jobs.js";
import { holdsAnything } from "./canvas_model.js";
import { formatFixed, html, reveal, setText, updateChildren } from "../shared/dom.js";
import { term } from "../widgets/glossary.js";
import { Gestures } from "../drawing/gestures.js";
import { overlayOf } from "./overlays.js";
import { edgeOf } from "./tiles.js";
import { CanvasView, captionsOf } from "./canvas_view.js";

const CAPTION = 28; // as in studio.css
const GAP = 20;
const EDGE = 6;
const [NARROW, LOW] = [640, 500]; // screen pixels: on a narrow stage the pad of a hint lies above the canvases, but not in a low window
const SMALLEST = 48; // screen pixels of a canvas: beyond that, many of them scroll

export class CanvasGrid {
  /**
   * @param {State} state @param {import("../transport/queries.js").Queries} queries @param {import("../drawing/pointer_tools.js").PointerTools} pointerTools
   * @param {HTMLElement} buttons below the canvases @param {import("../drawing/hint_pad.js").HintPad} pad
   */
  constructor(state, queries, pointerTools, buttons, pad) {
    this.pad = pad;
    this.state = state;
    this.queries = queries;
    this.pointerTools = pointerTools;
    /** @type {CanvasView[]} */
    this.views = [];
    this.canvases = html("div", { className: "canvases" });
    this.scale = html("div", { className: "scale" });
    this.legend = html("div", { className: "legend" }, this.scale);
    this.words = html("p", { className: "words" });
    /** @type {import("../state/state.js").Work | null} */
    this.work = null;
    this.viewport = html("div", { className: "viewport" }, pad.el, this.canvases);
    this.el = html("section", { className: "canvas-grid", "aria-label": "Canvases" }, this.viewport, html("div", { className: "status" }, this.legend, this.words, buttons));
    this.skip = html("button", { type: "button", className: "skip", onclick: () => this.views[state.active]?.image.focus() }, "Skip to the canvas"); // shown while it has the focus
    this.gestures = new Gestures(this.viewport, this.canvases, state, pointerTools);
    new ResizeObserver(() => state.changed()).observe(this.viewport);
  }

  update() {
    const { state } = this;
    while (this.views.length < state.canvases.length) this.#add(this.views.length);
    this.views.forEach((view, i) => (view.el.hidden = i >= state.canvases.length));
    this.gestures.hold();
    const { columns, scale, pad } = this.#layout();
    this.canvases.style.setProperty("--columns", String(columns));
    const captions = captionsOf(state.canvases, scale);
    state.canvases.forEach((canvas, i) => {
      const overlay = overlayOf(state, this.queries, canvas, i === state.active);
      this.views[i].update(state, canvas, i, scale, overlay, captions[i]);
    });
    this.pad.update(pad);
    this.gestures.settle();
    if (state.follow) reveal(this.views[state.active].marks[1]);
    state.follow = false;
    this.el.classList.toggle("drawing", state.tool !== "inspect");
    this.#legend();
    this.words.hidden = state.view !== "image";
    setText(this.words, state.canvas ? describeCanvas(state, state.canvas) : "");
    this.words.title = state.canvas ? `${this.words.textContent}\n${describeSettings(state.canvas)}` : "";
    if (state.work && state.work !== this.work) reveal(this.el); // needed on a narrow screen
    this.work = state.work;
  }

  /** @param {number} index */
  #add(index) {
    const view = new CanvasView((pixel, event) => this.pointerTools.pointer(index, pixel, event));
    view.image.addEventListener("focus", () => this.state.activate(index));
    this.views.push(view);
    this.canvases.append(view.el);
  }

  #layout() {
    const { canvases, zoom, tiled } = this.state;
    const count = Math.max(1, canvases.length);
    const times = tiled && canvases.length ? 1 + 2 * edgeOf(canvases[0].details.image) : 1;
    const height = times * Math.max(1, ...canvases.map((canvas) => canvas.height));
    const width = times * Math.max(1, ...canvases.map((canvas) => canvas.width));
    const stacked = this.pad.kind !== null && this.viewport.clientWidth < NARROW && window.innerHeight > Math.max(this.viewport.clientWidth, LOW);
    this.viewport.classList.toggle("stacked", stacked);
    const whole = { width: this.viewport.clientWidth - 2 * EDGE, height: stacked ? this.viewport.clientWidth : this.viewport.clientHeight - 2 * EDGE };
    const pad = this.#padWidth(whole, stacked);
    const available = pad && !stacked ? { ...whole, width: whole.width - pad - GAP } : whole;
    const caption = count > 1 || this.pad.kind || canvases.some((canvas) => canvas.verdict) ? CAPTION : 0; // a canvas alone has none
    let best = { columns: 1, scale: 0, score: 0 };
    const fixed = this.state.history.now.columns; // of a grid of two settings
    for (let columns = fixed ?? 1; columns <= (fixed ?? count); columns++) {
      const rows = Math.ceil(count / columns);
      const across = (available.width - GAP * (columns - 1)) / columns / width;
      const down = (available.height - caption * rows) / rows / height; // a caption is the gap between rows
      const scale = Math.min(across, down);
      const score = (this.#whole(scale) * count) / (columns * rows); // prefer a full grid to slightly larger canvases
      if (score > best.score) best = { columns, scale, score };
    }
    const steps = window.devicePixelRatio || 1, fit = this.#whole(best.scale);
    const least = Math.max(0.25, SMALLEST / Math.max(height, width));
    const columns = fit >= least ? best.columns : (fixed ?? Math.max(1, Math.min(count, Math.floor((available.width + GAP) / (least * width + GAP)))));
    const scale = Math.max(fit, least) * zoom;
    return { columns, scale: zoom > 1 && scale >= 4 ? Math.round(scale * steps) / steps : scale, pad };
  }

  /** Return the width of the pad of a hint: half of the stage, or all of it above the canvases. @param {{width: number, height: number}} stage @param {boolean} stacked */
  #padWidth({ width, height }, stacked) {
    const { kind } = this.pad;
    if (!kind) return 0;
    const most = stacked ? width : Math.min((width - GAP) / 2, ((height - CAPTION) * kind.width) / kind.height);
    return kind.width * this.#whole(most / kind.width);
  }

  /** Round a scale down to whole device pixels, so that all pixels have the same size. @param {number} scale */
  #whole(scale) {
    const steps = window.devicePixelRatio || 1;
    return scale >= 1 ? Math.floor(scale * steps) / steps : scale;
  }

  #legend() {
    const { state } = this;
    const { canvas } = state;
    this.legend.hidden = state.view === "image";
    if (!canvas || state.view === "image") return;
    const { view } = state;
    const saliency = view === "saliency" && state.heldPixel ? this.queries.saliency(canvas, state.heldPixel.pixel) : null;
    const found = saliency && !(saliency instanceof Error) ? saliency : null;
    const top = found ? found.top.toPrecision(2) : view === "differences" ? "1" : String(canvas.details.bits_top);
    const signed = view === "saliency" && found?.signed !== false;
    updateChildren(this.scale, [view, top, found?.unit, signed].join(), () => {
      const bar = html("i", { className: "ramp" });
      bar.style.background = gradient(signed);
      const low = found?.signed ? `\u2212${top}` : "0";
      const strength = html("input", {
        type: "range", min: "0.1", max: "1", step: "0.05", value: String(state.strength), title: "How strongly the map covers the image", "aria-label": "How strongly the map covers the image", className: "strength",
        oninput: (/** @type {any} */ event) => {
          state.strength = Number(event.target.value);
          state.changed();
        },
      });
      return [html("span", { className: "ends" }, html("b", {}, low), bar, html("b", {}, top)), html("span", { className: "what" }, term(LEGENDS[view](found)), canvas.details.image.channels > 1 && ", mean of channels"), strength];
    });
  }
}

/** Describe a canvas. @param {State} state @param {Canvas} canvas */
function describeCanvas(state, canvas) {
  if (!state.details) return "";
  if (!holdsAnything(canvas)) return state.work ? "" : "Nothing is painted yet: press Paint, draw a line and press Paint, or drop a picture here.";
  const { rng, trace, filled, variation } = canvas;
  return [
    describeConditions(canvas.conditions, canvas.details.conditions), rng && `seed ${rng.seed}`, rng?.index && `image ${rng.index + 1} of that seed`, variation && `variation of strength ${variation.strength}`, ...describeAdvanced(canvas),
    filled && `filled by ${FILL_METHODS[filled.method] ?? filled.method}, ${formatFixed(filled.bits, 1)} bits in the hole`,
    trace?.painted && `${formatFixed(trace.painted.bits, 1)} bits, ${formatFixed(trace.painted.bits_per_dim)} a ${trace.channels > 1 ? "channel" : "pixel"}`,
  ].filter(Boolean).join(" · ");
}

/** Describe the settings of a canvas that are numbers. @param {Canvas} canvas */
function describeSettings({ settings, trace }) {
  const texts = Object.entries(SETTING_NAMES).map(([key, name]) => `${name} ${settings[/** @type {"guidance"} */ (key)]}`);
  return trace ? [...texts, settings.order && `order ${settings.order}`].filter(Boolean).join(", ") : "";
}

/** @type {Record<string, string>} */
const FILL_METHODS = { known: "the model, which completes images", order: "an order that ends with the hole", smc: "Sequential Monte Carlo", sequential: "order, ignoring what follows" };

/** @type {Record<string, (saliency: Api.Saliency | null) => string>} */
const LEGENDS = {
  entropy: () => "entropy in bits",
  surprisal: () => "surprise in bits",
  saliency: (saliency) => (saliency ? `saliency: ${saliency.unit}` : "saliency"),
  shift: () => "shift of distributions in bits",
  differences: () => "chance that two candidates differ",
};
