// Two fingers on the canvases zoom and move them; so does a wheel with Ctrl, as which browsers tell of a touchpad.

/** @typedef {import("./state.js").State} State */
/** @typedef {{x: number, y: number, across: number, down: number}} Anchor a place of the window, and what of the canvases is there */

const WHEEL = 0.01; // of a zoom by e, a pixel of the wheel

export class Gestures {
  /** @type {{distance: number, zoom: number, anchor: Anchor} | null} */
  #pinch = null;
  /** @type {Anchor | null} to be kept when the new zoom is laid out */
  #anchor = null;
  #zoom = 1;

  /** @param {HTMLElement} table what scrolls @param {HTMLElement} boards what is in it @param {State} state @param {import("./hand.js").Hand} hand */
  constructor(table, boards, state, hand) {
    this.table = table;
    this.boards = boards;
    this.state = state;
    this.hand = hand;
    table.addEventListener("touchstart", (event) => this.#start(event), { passive: false });
    table.addEventListener("touchmove", (event) => this.#move(event), { passive: false });
    for (const kind of /** @type {const} */ (["touchend", "touchcancel"])) table.addEventListener(kind, (event) => this.#end(event));
    table.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** Before a layout: what is in the middle stays there, unless fingers hold something else. */
  hold() {
    if (this.state.zoom !== this.#zoom && !this.#anchor) {
      const { left, top, width, height } = this.table.getBoundingClientRect();
      this.#anchor = this.#at(left + width / 2, top + height / 2);
    }
    this.#zoom = this.state.zoom;
  }

  /** After it. */
  settle() {
    if (!this.#anchor) return;
    const { x, y, across, down } = this.#anchor;
    const { left, top, width, height } = this.boards.getBoundingClientRect();
    this.table.scrollBy({ left: left + across * width - x, top: top + down * height - y, behavior: "instant" });
    this.#anchor = null;
  }

  /** @param {number} x @param {number} y @returns {Anchor} */
  #at(x, y) {
    const { left, top, width, height } = this.boards.getBoundingClientRect();
    return { x, y, across: (x - left) / width, down: (y - top) / height };
  }

  /** @param {TouchEvent} event */
  #start(event) {
    if (event.touches.length !== 2) return;
    event.preventDefault();
    this.hand.rest(); // what the first finger did was not meant
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
    if (event.touches.length === 0) this.hand.wake();
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    this.#anchor = this.#at(event.clientX, event.clientY);
    this.state.zoomTo(this.state.zoom * Math.exp(-WHEEL * event.deltaY));
  }
}

/** The middle and the distance of two fingers. @param {TouchList} touches */
function between([a, b]) {
  const [across, down] = [b.clientX - a.clientX, b.clientY - a.clientY];
  return { x: a.clientX + across / 2, y: a.clientY + down / 2, distance: Math.max(1, Math.hypot(across, down)) };
}
