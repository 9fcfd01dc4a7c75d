// Words of a prompt, as `pointillist/analysis/condition_gain.py` finds them, and words that may stand in their places.

/** @typedef {{text: string, index: number}} PromptWord `index`: between the spaces of the prompt, from 0 */

export const MAX_WORDS = 100; // of a prompt whose bits are computed

/** Words of a prompt, without the punctuation around them. @param {string} prompt @returns {PromptWord[]} */
export function promptWords(prompt) {
  const texts = prompt.split(/\s+/).filter(Boolean).map((part) => part.replace(/^\p{P}+|\p{P}+$/gu, ""));
  return texts.map((text, index) => ({ text, index })).filter(({ text }) => text);
}

/** The prompt without a word, or with another in its place. @param {string} prompt @param {PromptWord} word @param {string | null} replacement */
export function promptWith(prompt, { text, index }, replacement) {
  const parts = prompt.split(/\s+/).filter(Boolean);
  if (replacement === null) parts.splice(index, 1);
  else parts[index] = parts[index].replace(text, () => replacement.trim());
  return parts.join(" ");
}

/**
 * Words of the kinds of a word that may stand in its place; of a phrase such as "left of" those that differ in this word.
 * @param {string} prompt @param {PromptWord} word @param {Record<string, string[]>} kinds @returns {string[]}
 */
export function candidatesFor(prompt, word, kinds) {
  const texts = prompt.split(/\s+/).filter(Boolean).map((part) => part.replace(/^\p{P}+|\p{P}+$/gu, "").toLowerCase());
  /** @type {Set<string>} */
  const result = new Set();
  for (const phrases of Object.values(kinds)) {
    const split = phrases.map((phrase) => phrase.toLowerCase().split(" "));
    for (const phrase of split) for (const [at, text] of phrase.entries()) {
      const from = word.index - at;
      if (text !== texts[word.index] || phrase.some((each, i) => texts[from + i] !== each)) continue;
      for (const other of split) if (other.length === phrase.length && other[at] !== text && other.every((each, i) => i === at || each === phrase[i])) result.add(other[at]);
    }
  }
  return [...result];
}
