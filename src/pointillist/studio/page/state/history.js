// Undo and redo of immutable values.

const MAX_STEPS = 100;

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
    this.past = [...this.past, this.now].slice(-MAX_STEPS);
    this.now = next;
    this.future = [];
  }

  /** Go back; return false if there is nothing to undo. */
  undo() {
    return this.#move(this.past, this.future);
  }

  /** Go forward; return false if there is nothing to redo. */
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
