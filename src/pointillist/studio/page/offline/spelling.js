// Plurals and misspellings of words, as `pointillist.model.free_prompts.free_prompts.py` knows them.

const ENDINGS = [["s", ""], ["es", ""], ["ies", "y"], ["ves", "f"]];

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
