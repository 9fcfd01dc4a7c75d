// Prompts as `read_prompts` in Python reads them: by names that a model was measured to show, or by the words that it has learned.

import { promptReader, singleEdits, singularsOf } from "./free_prompts.js";

/** Words of a subject, without articles. @param {string} text */
const wordsOf = (text) => (text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []).filter((word) => word.length > 1 && !/^\d+$/.test(word) && word !== "an" && word !== "the");
/** @param {string} name */
const keyOf = (name) => [...new Set(wordsOf(name))].sort().join(" ");
/** What a prompt, or its subject, says in double quotes. @param {string} prompt */
const unquoted = (prompt) => /^\s*"([^"]+)"\s*$/s.exec(prompt)?.[1] ?? prompt.replace(/^\s*"([^",]+)"\s*(?=,)/s, "$1");

export class PromptNames {
  /** @param {string[]} recognised names that samples showed @param {string[]} missed names that they seldom showed @param {string} words of all captions, empty where they are not known @param {import("./free_prompts.js").WordKinds | null} learned what prompts are read by if the model has learned its words; null where a sentence encoder reads them */
  constructor(recognised, missed, words, learned = null) {
    this.listed = new Set(recognised);
    this.missed = new Set(missed);
    this.known = new Set(recognised.map(keyOf));
    this.seen = new Set(words.split(" ").filter(Boolean));
    this.free = learned && this.seen.size ? promptReader([...this.seen], learned) : null;
  }

  /** What is sampled for a prompt, and sentences on it. @param {string} prompt @returns {{text: string, notes: string[]}} */
  read(prompt) {
    if (this.free && !prompt.includes('"')) return this.free(prompt);
    const literal = unquoted(prompt), [subject] = literal.split(",", 1), words = wordsOf(subject), name = words.join(" "), isNew = name && this.listed.size && !this.known.has(keyOf(name));
    const singular = singularsOf(name).find((stem) => this.listed.has(stem)), edits = singular !== undefined || !this.seen.size || words.every((word) => this.seen.has(word)) ? [] : singleEdits(name, this.listed);
    const meant = isNew && literal === prompt && !this.missed.has(name) ? singular ?? (edits.length === 1 ? edits[0] : undefined) : undefined;
    if (meant !== undefined) return { text: meant + literal.slice(subject.length), notes: [`'${subject.trim()}' is sampled as '${meant}', a name that this model shows: quote it to sample it literally.`] };
    return { text: literal, notes: isNew ? [this.missed.has(name) ? `Samples seldom showed '${name}'.` : `This model was not measured to show '${name}'.`] : [] };
  }

  /** A prompt as a manifest has it: quoted where a sentence encoder might read a word that this page leaves out. @param {string | null | undefined} prompt */
  literal(prompt) {
    if (!this.free || !prompt || prompt.includes('"')) return prompt;
    const { text } = this.free(prompt);
    return text === prompt ? prompt : text && `"${text}"`;
  }

  /** Sentences on prompts: on what is sampled as something else or left out, and on what is no name. @param {(string | null | undefined)[]} prompts @returns {string[]} */
  notes(prompts) {
    const hasWord = (/** @type {string} */ text) => (text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []).some((word) => word.length > 1 || /^\p{N}$/u.test(word) || this.listed.has(word));
    const notesOf = (/** @type {string} */ typed) => {
      const { notes } = this.read(typed);
      return notes.length || hasWord(typed) ? notes : [`The prompt '${typed}' holds no word: write a name, as captions in training have.`];
    };
    return [...new Set(prompts.flatMap((typed) => (typed?.trim() ? notesOf(typed) : [])))];
  }
}
