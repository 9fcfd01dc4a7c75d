// <pointillist-picture model="digits" label="3" seed="7" scale="8"><img src="three.png" alt=""></pointillist-picture>
//
// Paints when it is seen, pixel by pixel unless reduced motion is preferred. What is inside stands in its place before,
// and where nothing can be painted.

import { load, sample, toCanvas } from "./index.js";

const STYLE = ":host { display: inline-block; position: relative } [hidden] { display: none } canvas { display: block; image-rendering: pixelated; max-width: 100% } button { position: absolute; inset: auto 4px 4px auto; opacity: 0; font: 12px system-ui, sans-serif } :host(:hover) button, button:focus-visible { opacity: 1 }";
const NUMBERS = { seed: "seed", index: "index", guidance: "guidance", temperature: "temperature", "top-p": "topP", height: "height", width: "width" };
const FRAME = 40; // milliseconds between two pictures of a painting

export class PointillistPicture extends (globalThis.HTMLElement ?? Object) {
  static observedAttributes = ["model", "text", "label", "alt", "scale", ...Object.keys(NUMBERS)];
  /** @type {AbortController | null} */
  #stop = null;
  #seen = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && (this.#seen.disconnect(), this.paint()));

  connectedCallback() {
    if (!this.shadowRoot) this.attachShadow({ mode: "open" }).innerHTML = `<style>${STYLE}</style><slot></slot><canvas role="img" hidden></canvas><button type="button" hidden>Copy link</button>`;
    this.#part("button").onclick = () => this.#copy();
    this.#seen.observe(this);
  }
  disconnectedCallback() {
    this.#seen.disconnect();
    this.#stop?.abort();
  }
  attributeChangedCallback() {
    if (this.isConnected && this.#stop) this.paint();
  }

  /** @param {"slot" | "canvas" | "button"} name @returns {any} */
  #part(name) { return this.shadowRoot?.querySelector(name); }
  /** What is painted, in words. */
  get caption() {
    const what = this.getAttribute("text") ?? this.getAttribute("label");
    return this.getAttribute("alt") || `${what ?? "A picture"}, painted by the model ${this.getAttribute("model")}, seed ${this.getAttribute("seed") ?? 0}`;
  }
  /** Address of the picture: `link` with `{model}` in place of the name, such as of exported pages, or of this document. */
  get address() {
    const link = this.getAttribute("link"), fields = new URLSearchParams({ model: this.getAttribute("model") ?? "" });
    if (link === null) return `${location.href.split("#")[0]}${this.id && `#${this.id}`}`;
    for (const name of ["text", "label", "seed", "guidance", "temperature"]) if (this.hasAttribute(name)) fields.set(name, this.getAttribute(name) ?? "");
    return `${link.replaceAll("{model}", this.getAttribute("model") ?? "")}#${fields}`;
  }
  async #copy() {
    const button = this.#part("button");
    button.textContent = await navigator.clipboard.writeText(this.address).then(() => "Copied", () => this.address);
  }

  /** Paint the picture of the attributes; dispatches `painted`, or `error` with the sentence in its `message`. */
  async paint() {
    this.#stop?.abort();
    const { signal } = (this.#stop = new AbortController()), canvas = this.#part("canvas"), show = (/** @type {boolean} */ painted) => {
      [this.#part("slot").hidden, canvas.hidden, this.#part("button").hidden] = [painted, !painted, !painted];
    };
    try {
      const model = await load(this.getAttribute("model") ?? "", { signal }), still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      const numbers = Object.entries(NUMBERS).filter(([name]) => this.hasAttribute(name)).map(([name, setting]) => [setting, Number(this.getAttribute(name))]);
      const request = { seed: 0, text: this.getAttribute("text"), label: this.getAttribute("label"), ...Object.fromEntries(numbers) };
      const shown = { canvas, width: request.width ?? model.width, scale: Number(this.getAttribute("scale") ?? 4) };
      canvas.setAttribute("aria-label", this.caption);
      let due = still ? Infinity : performance.now();
      const samples = await sample(model, 1, { ...request, signal, onProgress: ({ levels }) => {
        if (performance.now() < due) return;
        due = performance.now() + FRAME;
        toCanvas(model, levels, shown);
        show(true);
      } });
      samples.toCanvas(0, shown);
      show(true);
      this.dispatchEvent(new CustomEvent("painted", { detail: samples }));
    } catch (error) {
      if (signal.aborted) return;
      show(false);
      this.dispatchEvent(new ErrorEvent("error", { message: error instanceof Error ? error.message : String(error) }));
    }
  }
}

globalThis.customElements?.get("pointillist-picture") ?? globalThis.customElements?.define("pointillist-picture", PointillistPicture);
