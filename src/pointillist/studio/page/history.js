// Undo and redo over values that are never changed.

const MOST = 100;

/** @template T */
export class History {
  /** @param {T} first */
  constructor(first) {
    /** @type {T[]} */
    this.past = [];
    this.now = first;
    /** @type {T[]} */
    this.future = [];
  }

  /** @param {T} next */
  push(next) {
    this.past = [...this.past, this.now].slice(-MOST);
    this.now = next;
    this.future = [];
  }

  /** Whether there was something to go back to. */
  undo() {
    return this.#move(this.past, this.future);
  }

  /** Whether there was something to do again. */
  redo() {
    return this.#move(this.future, this.past);
  }

  /** @param {T[]} from @param {T[]} to */
  #move(from, to) {
    const next = from.pop();
    if (next === undefined) return false;
    to.push(this.now);
    this.now = next;
    return true;
  }
}
