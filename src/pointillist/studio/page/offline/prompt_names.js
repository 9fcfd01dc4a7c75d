// Names that a model was measured to show: which of them a prompt means, as `pointillist/model/vocabulary.py` finds it.

const ENDINGS = [["s", ""], ["es", ""], ["ies", "y"], ["ves", "f"]], SHORTEST = 5;

/** Words of a subject, without articles. @param {string} text */
const wordsOf = (text) => (text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []).filter((word) => word.length > 1 && !/^\d+$/.test(word) && word !== "an" && word !== "the");

/** @param {string[]} words */
const keyOf = (words) => [...new Set(words)].sort().join(" ");

/** Whether one letter was left out, added or replaced, or two neighbours were exchanged. @param {string} text @param {string} other */
function isSingleEdit(text, other) {
  const [short, long] = text.length <= other.length ? [text, other] : [other, text];
  let start = 0;
  while (start < short.length && short[start] === long[start]) start++;
  const a = short.slice(start), b = long.slice(start);
  if (long.length !== short.length) return long.length - short.length === 1 && a === b.slice(1);
  return a !== "" && (a.slice(1) === b.slice(1) || (a[0] === b[1] && a[1] === b[0] && a.slice(2) === b.slice(2)));
}

export class PromptNames {
  /**
   * @param {string[]} recognised names that samples showed @param {string[]} missed names that they seldom showed
   * @param {string} words of all captions, empty where they are not known
   */
  constructor(recognised, missed, words) {
    this.listed = new Set(recognised);
    this.missed = new Set(missed);
    this.known = new Set(recognised.map((name) => keyOf(wordsOf(name))));
    this.seen = new Set(words.split(" ").filter(Boolean));
  }

  /** The prompt that is sampled for one. @param {string} prompt */
  resolve(prompt) {
    const [subject] = prompt.split(",", 1), style = prompt.slice(subject.length);
    for (const [text, rest] of [[prompt.trim(), ""], [subject.trim(), style]]) {
      const quoted = /^"([^"]+)"$/s.exec(text);
      if (quoted) return quoted[1] + rest;
    }
    const name = this.#meant(wordsOf(subject));
    return name === undefined ? prompt : name + style;
  }

  /** The name that a subject is another form of. @param {string[]} words @returns {string | undefined} */
  #meant(words) {
    const subject = words.join(" ");
    if (!subject || !this.listed.size || this.known.has(keyOf(words)) || this.missed.has(subject)) return undefined;
    const stems = ENDINGS.filter(([ending]) => subject.endsWith(ending)).map(([ending, other]) => subject.slice(0, subject.length - ending.length) + other);
    const singular = stems.find((stem) => this.listed.has(stem));
    if (singular !== undefined || !this.seen.size || words.every((word) => this.seen.has(word))) return singular;
    const meant = [...this.listed].filter((name) => name.length >= SHORTEST && isSingleEdit(subject, name));
    return meant.length === 1 ? meant[0] : undefined;
  }

  /** A sentence for each prompt that is sampled as a name, or that is none. @param {(string | null | undefined)[]} prompts @returns {string[]} */
  notes(prompts) {
    return [...new Set(prompts.flatMap((typed) => {
      const [before, after] = [typed ?? "", this.resolve(typed ?? "")].map((text) => text.split(",", 1)[0].trim()), words = wordsOf(after), subject = words.join(" ");
      if (!this.listed.size || !subject) return [];
      if (wordsOf(before).join(" ") !== subject) return [`'${before}' is sampled as '${after}', a name that this model shows: quote it to sample it literally.`];
      if (this.known.has(keyOf(words))) return [];
      return [this.missed.has(subject) ? `Samples seldom showed '${subject}'.` : `This model was not measured to show '${subject}'.`];
    }))];
  }
}
