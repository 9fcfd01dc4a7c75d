// Prompts for words that are learned with a model, as `pointillist.model.free_prompts.free_prompts.py` reads them by their letters: a
// page has no sentence encoder. A plural or a misspelling is sampled as the word that it is of, other new words are left out.

const ENDINGS = [["s", ""], ["es", ""], ["ies", "y"], ["ves", "f"]];
const ARTICLES = new Set(["a", "an", "the"]), FREE = new Set(["a", "i"]), SHORTEST = 5, SAID = 8;

/** What a word may be the plural of. @param {string} word */
export const singularsOf = (word) => ENDINGS.filter(([ending]) => word.endsWith(ending)).map(([ending, other]) => word.slice(0, word.length - ending.length) + other);

/** Whether one letter was left out, added or replaced, or two neighbours were exchanged. @param {string} text @param {string} other */
export function isSingleEdit(text, other) {
  const [short, long] = text.length <= other.length ? [text, other] : [other, text];
  let start = 0;
  while (start < short.length && short[start] === long[start]) start++;
  const a = short.slice(start), b = long.slice(start);
  if (long.length !== short.length) return long.length - short.length === 1 && a === b.slice(1);
  return a !== "" && (a.slice(1) === b.slice(1) || (a[0] === b[1] && a[1] === b[0] && a.slice(2) === b.slice(2)));
}

/** @typedef {{kinds?: Record<string, string[]>, sentence?: string}} WordKinds */

/** Nouns: the words of the last slots of groups with several. @param {WordKinds} words */
function nounsOf({ kinds = {}, sentence = "" }) {
  const groups = [...sentence.matchAll(/\[([^[\]]+)\]/g)].map((match) => [...match[1].matchAll(/\{([^{}=]+)/g)].map(([, kind]) => kind));
  return new Set(groups.filter((slots) => slots.length > 1).flatMap((slots) => kinds[slots[slots.length - 1]]));
}

export class FreePrompts {
  /** @param {string[]} words of all captions @param {WordKinds} kinds */
  constructor(words, kinds) {
    const phrases = [...new Set(Object.values(kinds.kinds ?? {}).flat())];
    this.words = words;
    this.hasKinds = phrases.length > 0;
    this.seen = new Set([...words, ...phrases.flatMap((phrase) => phrase.split(" "))]);
    this.names = new Set(phrases.length ? phrases : words.filter((word) => !ARTICLES.has(word)));
    this.nouns = nounsOf(kinds);
  }

  /** What is sampled for a prompt, and a sentence for each word that is another or left out. @param {string} prompt */
  read(prompt) {
    /** @type {string[]} */
    const sentences = [], pieces = [];
    let end = 0;
    for (const { start, stop, meant } of this.#changes(prompt)) {
      let before = prompt.slice(end, start);
      if (meant === null && this.nouns.size && !this.#isNoun(prompt.slice(stop))) before = before.replace(/(^|\s)(an?|the)\s+$/i, "$1");
      pieces.push(before, meant ?? "");
      sentences.push(meant === null ? `'${prompt.slice(start, stop)}' is unknown to this model, and is left out.` : `'${prompt.slice(start, stop)}' is sampled as '${meant}', the nearest that this model knows: quote the prompt to sample it literally.`);
      end = stop;
    }
    if (!sentences.length) return { text: prompt, sentences };
    const text = tidied(pieces.join("") + prompt.slice(end));
    if (!(text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []).some((word) => !ARTICLES.has(word))) return { text: "", sentences: [`The prompt '${prompt}' has no word that this model knows: it is left out.`] };
    const different = [...new Set(sentences)];
    return { text, sentences: different.length > SAID ? [...different.slice(0, SAID), `${(different.length - SAID).toLocaleString("en")} more words of the prompt are sampled as others, or left out.`] : different };
  }

  /** Ranges of a prompt, and what is sampled in their place; null for what is left out. @param {string} prompt */
  *#changes(prompt) {
    const tokens = [...prompt.matchAll(/[\p{L}\p{N}_]+|[^\p{L}\p{N}_\s]+/gu)].map((match) => ({ text: match[0], start: match.index, stop: match.index + match[0].length })).filter(({ text }) => /^[\p{L}\p{N}_]/u.test(text) || /\p{So}/u.test(text));
    for (let i = 0; i < tokens.length; i++) {
      const { text, start, stop } = tokens[i], next = tokens[i + 1], word = text.toLowerCase();
      if (!this.#isKnown(word)) yield { start, stop, meant: this.#nearest(word) };
      else if (next && this.#isCompound(word, next.text.toLowerCase())) {
        yield { start, stop: next.stop, meant: next.text.toLowerCase() };
        i++;
      }
    }
  }

  /** @param {string} word */
  #isKnown(word) {
    return this.seen.has(word) || FREE.has(word) || (!this.hasKinds && (/^[\x00-\x7f]$/.test(word) || /^\p{Nd}+$/u.test(word)));
  }

  /** Whether two nouns in a row are no phrase. @param {string} first @param {string} second */
  #isCompound(first, second) {
    return first !== second && this.nouns.has(first) && this.nouns.has(second) && ![...this.names].some((name) => ` ${name} `.includes(` ${first} ${second} `));
  }

  /** @param {string} text */
  #isNoun(text) {
    return this.nouns.has(/^\s*([\p{L}\p{N}_]+)/u.exec(text)?.[1].toLowerCase() ?? "");
  }

  /** The word that an unknown one is spelled like. @param {string} word */
  #nearest(word) {
    const form = [...singularsOf(word), `${word}s`].find((each) => this.seen.has(each));
    if (form !== undefined) return form;
    const spelled = this.words.filter((name) => name.length >= SHORTEST && isSingleEdit(word, name));
    return spelled.length === 1 ? spelled[0] : null;
  }
}

/** Remove the spaces and articles that words leave behind which are left out. @param {string} text */
function tidied(text) {
  const words = text.split(/\s+/).filter(Boolean), isArticle = (/** @type {string} */ word) => ARTICLES.has(word.toLowerCase());
  const kept = words.filter((word, i) => !isArticle(word) || (i + 1 < words.length && !isArticle(words[i + 1])));
  const fitting = kept.map((word, i) => (["a", "an"].includes(word) && i + 1 < kept.length ? ("aeiou".includes(kept[i + 1][0].toLowerCase()) ? "an" : "a") : word));
  return fitting.join(" ").replaceAll(" ,", ",");
}
