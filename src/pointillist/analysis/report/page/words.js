// Words of the prompt, and the bits that each saves at each pixel.

import { inflate } from "./shared/bytes.js";
import { lightWords, namedBits } from "./shared/words.js";

const NAMED = 4; // words that are named for a pixel

/**
 * Decode the maps of words. @param {any} packed @param {number} sites
 * @returns {Promise<(word: number, site: number) => number>} bits that a word saves at a pixel; 0 for a word without a map
 */
export async function decodeWords(packed, sites) {
  const bytes = await inflate(packed.data), shares = new DataView(bytes.buffer);
  const at = new Map(packed.words.map((/** @type {number} */ word, /** @type {number} */ index) => [word, index]));
  return (word, site) => {
    const index = at.get(word);
    if (index === undefined) return 0;
    return (shares.getInt16(2 * (index * sites + site), true) / packed.steps) * packed.top[index];
  };
}

export class WordBar {
  /**
   * Read the words that the page shows. @param {HTMLElement} root @param {any} page @param {(word: number, site: number) => number} bitsAt
   * @param {() => void} changed called when another word is shown, or none
   */
  constructor(root, page, bitsAt, changed) {
    this.root = root;
    this.page = page;
    this.bitsAt = bitsAt;
    this.changed = changed;
    /** @type {HTMLElement[]} */
    this.buttons = Array.from(root.querySelectorAll("[data-word]"));
    /** @type {number | null} the word that stays */
    this.pinned = null;
    /** @type {number | null} the word under the pointer */
    this.passed = null;
    for (const [word, button] of this.buttons.entries()) this.#listen(word, button);
  }

  /** The word whose map is shown, if any. */
  get word() {
    return this.passed ?? this.pinned;
  }

  /** Name of a word, and of the word in its place. @param {number} word */
  name(word) {
    return this.buttons[word].dataset.name ?? "";
  }

  /** @param {number} word @param {HTMLElement} button */
  #listen(word, button) {
    const pass = (/** @type {number | null} */ passed) => { this.passed = passed; this.changed(); };
    button.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") pass(word); });
    button.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") pass(null); });
    button.addEventListener("focus", () => { if (button.matches(":focus-visible")) pass(word); });
    button.addEventListener("blur", () => pass(null));
    button.addEventListener("click", () => this.pin(this.pinned === word ? null : word));
  }

  /** Keep the map of a word, or of none. @param {number | null} word */
  pin(word) {
    this.pinned = word;
    for (const [index, button] of this.buttons.entries()) button.setAttribute("aria-pressed", String(index === word));
    this.changed();
  }

  /** Light up the words of a pixel. @param {number} site @returns {string} what they save there, in words */
  light(site) {
    const bits = this.buttons.map((_, word) => this.bitsAt(word, site)), count = this.page.words.left_out;
    lightWords(this.buttons, bits, this.page.color_max * this.page.shape[0]);
    return namedBits(this.buttons.slice(0, count).map((_, word) => this.name(word)), bits, NAMED);
  }
}
