// Everything that a key or a button can do, in one place.

/** @typedef {import("./state.js").State} State */

const ZOOM = 1.5;
const MOST_BRUSH = 16;

export class Commands {
  /**
   * @param {State} state @param {import("./player.js").Player} player @param {import("./painter.js").Painter} painter
   * @param {import("./hand.js").Hand} hand @param {import("./questions.js").Questions} questions @param {import("./dialogs.js").Dialogs} dialogs
   * @param {import("./bringing.js").Bringing} bringing
   */
  constructor(state, player, painter, hand, questions, dialogs, bringing) {
    this.state = state;
    this.player = player;
    this.painter = painter;
    this.hand = hand;
    this.questions = questions;
    this.dialogs = dialogs;
    this.bringing = bringing;
  }

  paint() {
    this.painter.paint();
  }

  goOn() {
    this.painter.goOn();
  }

  repaint() {
    this.painter.repaint(this.questions);
  }

  escape() {
    if (this.state.work) this.painter.stop();
    else this.release();
  }

  /** Let go of the held pixel. */
  release() {
    const { state } = this;
    state.pin = state.hover = state.notice = null;
    if (state.view === "look" || state.view === "shift") state.view = "image";
    state.changed();
  }

  /** @param {State["view"]} view */
  view(view) {
    const needsPin = view === "look" || view === "shift";
    if (needsPin && !this.state.pin) return;
    this.state.view = view;
    this.state.changed();
  }

  /** @param {State["tool"]} tool */
  tool(tool) {
    this.state.tool = tool;
    this.state.pin = tool === "look" ? this.state.pin : null;
    this.view(this.state.pin || this.state.view === "entropy" || this.state.view === "surprise" ? this.state.view : "image");
  }

  /** @param {number} more */
  brush(more) {
    this.state.brush = Math.max(1, Math.min(MOST_BRUSH, this.state.brush + more));
    this.state.changed();
  }

  /** @param {number} steps 0 fits */
  zoom(steps) {
    this.state.zoomTo(steps === 0 ? 1 : this.state.zoom * ZOOM ** steps);
  }

  grid() {
    this.state.grid = !this.state.grid;
    this.state.changed();
  }

  /** Another canvas. @param {number} steps */
  next(steps) {
    const { active, boards } = this.state;
    this.state.choose((active + steps + boards.length) % boards.length);
  }

  open() {
    this.bringing.choose();
  }

  /** The pencil takes the level under the cursor. */
  pick() {
    const pixel = this.state.hover?.pixel ?? this.state.pin?.pixel;
    if (pixel !== undefined) this.hand.pick(pixel);
  }

  undo() {
    this.#back(this.state.history.undo());
  }

  redo() {
    this.#back(this.state.history.redo());
  }

  /** @param {boolean} moved */
  #back(moved) {
    if (!moved) return;
    this.state.forget();
    this.state.changed();
  }

  keys() {
    this.dialogs.showKeys();
  }

  /** The cursor of the keyboard. @param {number} pixel */
  moveTo(pixel) {
    const { state } = this;
    if (state.pin) state.pin = { pixel, choice: state.pin.choice.map(() => null) };
    if (state.playing) this.player.pause();
    this.hand.hover(state.active, pixel);
    state.follow = true;
    state.changed();
  }

  /** Enter on a pixel. @param {number} pixel */
  press(pixel) {
    if (this.state.tool === "look") this.hand.pin(pixel);
    else this.hand.dab(pixel);
  }

  /** Forget what is on the board in hand: an empty canvas. */
  clear() {
    const { board } = this.state;
    if (!board) return;
    const empty = { ...board, levels: board.levels.slice().fill(0), known: new Uint8Array(board.known.length), trace: null, verdict: null, draw: null };
    this.state.replace(empty);
  }
}
