// Zooming and panning with two fingers, or with Ctrl and the wheel, which is how browsers report a touchpad.

/** @typedef {{x: number, y: number, across: number, down: number}} Anchor a point of the window, and the point of the canvases at it */

const WHEEL = 0.01; // logarithm of the zoom per pixel of the wheel

export class Gestures {
  /** @type {{distance: number, zoom: number, anchor: Anchor} | null} */
  #pinch = null;
  /** @type {Anchor | null} to keep in place in the next layout */
  #anchor = null;
  #zoom = 1;

  /** @param {HTMLElement} viewport the element that scrolls @param {HTMLElement} canvases its content @param {State} state @param {import("./pointer_tools.js").PointerTools} pointerTools */
  constructor(viewport, canvases, state, pointerTools) {
    this.viewport = viewport;
    this.canvases = canvases;
    this.state = state;
    this.pointerTools = pointerTools;
    viewport.addEventListener("touchstart", (event) => this.#start(event), { passive: false });
    viewport.addEventListener("touchmove", (event) => this.#move(event), { passive: false });
    for (const kind of /** @type {const} */ (["touchend", "touchcancel"])) viewport.addEventListener(kind, (event) => this.#end(event));
    viewport.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** Choose what stays in place, before a layout: the middle, unless fingers hold another point. */
  hold() {
    if (this.state.zoom !== this.#zoom && !this.#anchor) {
      const { left, top, width, height } = this.viewport.getBoundingClientRect();
      this.#anchor = this.#at(left + width / 2, top + height / 2);
    }
    this.#zoom = this.state.zoom;
  }

  /** Scroll it into place, after the layout. */
  settle() {
    if (!this.#anchor) return;
    const { x, y, across, down } = this.#anchor;
    const { left, top, width, height } = this.canvases.getBoundingClientRect();
    this.viewport.scrollBy({ left: left + across * width - x, top: top + down * height - y, behavior: "instant" });
    this.#anchor = null;
  }

  /** @param {number} x @param {number} y @returns {Anchor} */
  #at(x, y) {
    const { left, top, width, height } = this.canvases.getBoundingClientRect();
    return { x, y, across: (x - left) / width, down: (y - top) / height };
  }

  /** @param {TouchEvent} event */
  #start(event) {
    if (event.touches.length !== 2) return;
    event.preventDefault();
    this.pointerTools.suspend(); // the first finger did not mean to draw
    const { x, y, distance } = between(event.touches);
    this.#pinch = { distance, zoom: this.state.zoom, anchor: this.#at(x, y) };
  }

  /** @param {TouchEvent} event */
  #move(event) {
    if (!this.#pinch || event.touches.length < 2) return;
    event.preventDefault();
    const { x, y, distance } = between(event.touches);
    this.#anchor = { ...this.#pinch.anchor, x, y };
    this.state.zoomTo((this.#pinch.zoom * distance) / this.#pinch.distance);
  }

  /** @param {TouchEvent} event */
  #end(event) {
    if (event.touches.length < 2) this.#pinch = null;
    if (event.touches.length === 0) this.pointerTools.resume();
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    this.#anchor = this.#at(event.clientX, event.clientY);
    this.state.zoomTo(this.state.zoom * Math.exp(-WHEEL * event.deltaY));
  }
}

/** Return the midpoint and the distance of two fingers. @param {TouchList} touches */
function between([a, b]) {
  const [across, down] = [b.clientX - a.clientX, b.clientY - a.clientY];
  return { x: a.clientX + across / 2, y: a.clientY + down / 2, distance: Math.max(1, Math.hypot(across, down)) };
}
