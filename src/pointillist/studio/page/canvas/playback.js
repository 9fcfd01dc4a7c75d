// Playback of paintings: play, pause, step, seek.

export class Playback {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    this.last = 0;
    this.waits = false; // for pixels that have not arrived; each that does is a change of the state
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
    this.waits = false;
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

  /** Advance after every frame, and request the next one; while nothing has arrived there is nothing to show. */
  #follow() {
    const { state } = this;
    if (!state.playing) return;
    const now = performance.now();
    const passed = this.waits ? 0 : Math.max(0, now - this.last);
    this.last = now;
    state.at = Math.min(state.speed === Infinity ? Infinity : state.at + (state.speed * passed) / 1000, state.arrived);
    const over = state.work === null && state.canvases.every((canvas) => canvas.trace?.over ?? true);
    if (over && state.at >= state.arrived) state.playing = false;
    this.waits = !over && state.at >= state.arrived;
    if (!this.waits) state.changed();
  }
}
