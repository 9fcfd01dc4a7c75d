// A sentence of words that are chosen by clicking: a button for each slot, and under it the words of its kind.

import { html, setText, updateChildren } from "../shared/dom.js";
import { edit, groupsOf, parse } from "../state/prompt_words.js";

export class SentenceBuilder {
  /** @param {Api.WordChoices} words @param {() => string} text now @param {(text: string) => void} take a sentence */
  constructor(words, text, take) {
    this.words = words;
    this.text = text;
    this.take = take;
    this.groups = groupsOf(words.sentence);
    /** @type {{kind: string, usual: string, head: number}[]} all slots, with the number of the head of their group */
    this.slots = [];
    for (const group of this.groups) {
      const head = this.slots.length + group.length - 1;
      this.slots.push(...group.map(({ kind, usual }) => ({ kind, usual, head })));
    }
    this.open = this.slots.findIndex((_, i) => i === this.slots[i].head);
    this.buttons = html("div", { className: "slots", role: "group", "aria-label": "Words of the sentence" });
    this.choices = html("div", { className: "examples choices-of-words", role: "group" });
    this.note = html("small", {});
    this.el = html("div", { className: "sentence-builder" }, this.buttons, this.choices, this.note);
    this.update();
  }

  /** Show the words of the text. */
  update() {
    const { slots, open } = this, text = this.text(), matches = parse(this.groups, this.words.kinds, text), key = JSON.stringify([matches, open]);
    updateChildren(this.buttons, key, () => slots.map(({ kind, head }, i) => {
      const word = matches[i]?.word ?? "";
      const button = html("button", { type: "button", className: word ? "filled" : "", disabled: head !== i && !matches[head], "aria-pressed": i === open, title: head !== i && !matches[head] ? `Choose a ${slots[head].kind} first` : `Choose a ${kind}`, onclick: () => { this.open = i; this.update(); } }, word || kind);
      return button;
    }));
    const chosen = matches[open]?.word ?? "";
    this.choices.ariaLabel = `Words for ${slots[open].kind}`;
    updateChildren(this.choices, key, () => [...this.words.kinds[slots[open].kind].map((word) => html("button", { type: "button", "aria-pressed": word === chosen, onclick: () => this.#choose(open, word === chosen ? "" : word) }, word))]);
    const { text: next, loses } = edit(this.groups, this.words.kinds, text, open, "\u2026");
    setText(this.note, loses ? `It becomes: ${next}` : "");
  }

  /** Put a word into a slot, "" to take it out. @param {number} slot @param {string} word */
  #choose(slot, word) {
    this.take(edit(this.groups, this.words.kinds, this.text(), slot, word).text);
    this.update();
  }
}
