// Names that a model was measured to show: which of them a prompt means, as `pointillist/model/vocabulary.py` finds it.

import { FreePrompts, isSingleEdit, singularsOf } from "./free_prompts.js";

const SHORTEST = 5;

/** Words of a subject, without articles. @param {string} text */
const wordsOf = (text) => (text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []).filter((word) => word.length > 1 && !/^\d+$/.test(word) && word !== "an" && word !== "the");

/** @param {string[]} words */
const keyOf = (words) => [...new Set(words)].sort().join(" ");

export class PromptNames {
  /**
   * @param {string[]} recognised names that samples showed @param {string[]} missed names that they seldom showed
   * @param {string} words of all captions, empty where they are not known
   * @param {import("./free_prompts.js").WordKinds | null} learned kinds of the words that the model has learned; null where a sentence encoder reads prompts
   */
  constructor(recognised, missed, words, learned = null) {
    this.listed = new Set(recognised);
    this.missed = new Set(missed);
    this.known = new Set(recognised.map((name) => keyOf(wordsOf(name))));
    this.seen = new Set(words.split(" ").filter(Boolean));
    this.free = learned && this.seen.size ? new FreePrompts([...this.seen], learned) : null;
  }

  /** The prompt that is sampled for one. @param {string} prompt */
  resolve(prompt) {
    if (this.free && !prompt.includes('"')) return this.free.read(prompt).text;
    const [subject] = prompt.split(",", 1), style = prompt.slice(subject.length);
    for (const [text, rest] of [[prompt.trim(), ""], [subject.trim(), style]]) {
      const quoted = /^"([^"]+)"$/s.exec(text);
      if (quoted) return quoted[1] + rest;
    }
    const name = this.#meant(wordsOf(subject));
    return name === undefined ? prompt : name + style;
  }

  /** A prompt as a manifest has it: quoted where a sentence encoder might read a word that this page leaves out. @param {string | null | undefined} prompt */
  literal(prompt) {
    if (!this.free || !prompt || prompt.includes('"')) return prompt;
    const sampled = this.resolve(prompt);
    return sampled === prompt ? prompt : sampled && `"${sampled}"`;
  }

  /** The name that a subject is another form of. @param {string[]} words @returns {string | undefined} */
  #meant(words) {
    const subject = words.join(" ");
    if (!subject || !this.listed.size || this.known.has(keyOf(words)) || this.missed.has(subject)) return undefined;
    const singular = singularsOf(subject).find((stem) => this.listed.has(stem));
    if (singular !== undefined || !this.seen.size || words.every((word) => this.seen.has(word))) return singular;
    const meant = [...this.listed].filter((name) => name.length >= SHORTEST && isSingleEdit(subject, name));
    return meant.length === 1 ? meant[0] : undefined;
  }

  /** Whether a prompt has a word, a number, or a single letter that is a name. @param {string} prompt */
  #hasWord(prompt) {
    return (prompt.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []).some((word) => word.length > 1 || /^\p{N}$/u.test(word) || this.listed.has(word));
  }

  /** A sentence for each prompt that is sampled as a name, or that is none. @param {(string | null | undefined)[]} prompts @returns {string[]} */
  notes(prompts) {
    const { free } = this, wordless = prompts.filter((typed) => typed?.trim() && (!free || typed.includes('"') || !free.read(typed).sentences.length) && !this.#hasWord(typed))
      .map((typed) => `The prompt '${typed}' holds no word: write a name, as captions in training have.`);
    if (free) return [...new Set([...wordless, ...prompts.flatMap((typed) => (typed?.trim() && !typed.includes('"') ? free.read(typed).sentences : []))])];
    return [...new Set([...wordless, ...prompts.flatMap((typed) => {
      const [before, after] = [typed ?? "", this.resolve(typed ?? "")].map((text) => text.split(",", 1)[0].trim()), words = wordsOf(after), subject = words.join(" ");
      if (!this.listed.size || !subject) return [];
      if (wordsOf(before).join(" ") !== subject) return [`'${before}' is sampled as '${after}', a name that this model shows: quote it to sample it literally.`];
      if (this.known.has(keyOf(words))) return [];
      return [this.missed.has(subject) ? `Samples seldom showed '${subject}'.` : `This model was not measured to show '${subject}'.`];
    })])];
  }
}
