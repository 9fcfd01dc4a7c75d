// Playback of paintings: play, pause, step, seek.

/** @typedef {import("../state/state.js").State} State */

export class Playback {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    this.last = 0;
    state.listeners.push(() => this.#follow());
  }

  /** Play from the first pixel, as pixels arrive. */
  start() {
    this.state.at = 0;
    this.#go();
  }

  play() {
    const { state } = this;
    if (!state.length) return;
    if (state.at >= state.length) state.at = 0;
    this.#go();
  }

  #go() {
    this.state.playing = true;
    this.last = performance.now();
    this.state.changed();
  }

  pause() {
    this.state.playing = false;
    this.state.at = Math.floor(this.state.at);
    this.state.changed();
  }

  toggle() {
    if (this.state.playing) this.pause();
    else this.play();
  }

  /** @param {number} at */
  seek(at) {
    this.state.playing = false;
    this.state.at = Math.max(0, Math.min(this.state.arrived, Math.floor(at)));
    this.state.changed();
  }

  /** @param {number} pixels */
  step(pixels) {
    this.seek(this.state.at + pixels);
  }

  /** Advance after every frame, and request the next one. */
  #follow() {
    const { state } = this;
    if (!state.playing) return;
    const now = performance.now();
    const next = state.at + (state.speed * Math.max(0, now - this.last)) / 1000;
    this.last = now;
    state.at = Math.min(next, state.arrived);
    const over = state.work === null && state.canvases.every((canvas) => canvas.trace?.over ?? true);
    if (over && state.at >= state.arrived) state.playing = false;
    state.changed();
  }
}
