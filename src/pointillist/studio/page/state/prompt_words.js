// Words of a prompt, as `pointillist/analysis/condition_gain.py` finds them, and words that may stand in their places; sentences of
// chosen words: a template with slots for words of a kind (`words` of prompts.json), filled and read back.

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
  return [...new Set(Object.values(kinds).flatMap((phrases) => {
    const split = phrases.map((phrase) => phrase.toLowerCase().split(" "));
    const stands = (/** @type {string[]} */ phrase, /** @type {number} */ at) => phrase.every((each, i) => texts[word.index - at + i] === each);
    return split.flatMap((phrase) => phrase.flatMap((text, at) => (stands(phrase, at) ? split.filter((other) => other.length === phrase.length && other[at] !== text && other.every((each, i) => i === at || each === phrase[i])).map((other) => other[at]) : [])));
  }))];
}

/** @typedef {{kind: string, usual: string, before: string, article: boolean}} Slot `before`: what the template has before it in its group */
/** @typedef {{start: number, stop: number, word: string}} Match words of a text */

/** Groups of a template, of slots each; the last one of a group is its head. @param {string} sentence @returns {Slot[][]} */
export function groupsOf(sentence) {
  return [...sentence.matchAll(/\[([^[\]]+)\]/g)].map(([, group]) => [...group.matchAll(/([^{}]*)\{([^{}=]+)(?:=([^{}]+))?\}/g)].map(([, before, kind, usual = ""]) => ({ kind, usual, before: before.trim(), article: before.includes("a/an") })));
}

/** Let "a" and "an" agree with the words after them. @param {string} text */
export const fitArticles = (text) => text.replace(/(?<![\p{L}\p{N}])(?:a\/an|an?)(?=\s+(\p{L}))/giu, (article, letter) => {
  const fitting = "aeiou".includes(letter.toLowerCase()) ? "an" : "a";
  return article === "A" || article.startsWith("An") ? fitting.replace("a", "A") : fitting;
});

/** Put a word into each slot, "" for none: a group without its head is left out. @param {Slot[][]} groups @param {string[]} words of all slots, in their order */
export function compose(groups, words) {
  let first = 0;
  const parts = groups.map((slots) => {
    const chosen = slots.map(({ usual }, i) => words[first + i] || usual);
    first += slots.length;
    return chosen[slots.length - 1] ? slots.map(({ before }, i) => `${before} ${chosen[i]}`).join(" ") : "";
  });
  return fitArticles(parts.join(" ").trim().replace(/\s+/g, " "));
}

/**
 * Find the words of a text that stand in the slots: a head anywhere, other words of its group before it.
 * @param {Slot[][]} groups @param {Record<string, string[]>} kinds @param {string} text @returns {(Match | null)[]} of all slots, in their order
 */
export function parse(groups, kinds, text) {
  /** @type {Match[]} */
  const taken = [];
  const free = (/** @type {string} */ kind, /** @type {number} */ stop) => occurrences(kinds[kind], text, stop).filter((one) => !taken.some((other) => one.start < other.stop && other.start < one.stop));
  return groups.flatMap((slots) => {
    const head = free(slots[slots.length - 1].kind, text.length)[0];
    if (!head) return slots.map(() => null);
    taken.push(head);
    let { start } = head;
    const others = slots.slice(0, -1).reverse().map(({ kind, usual }) => {
      // a word that describes the head stands right before it; one with a usual word, such as a relation, anywhere before
      const all = free(kind, start).reverse(), match = usual ? all[0] : all.find((one) => !text.slice(one.stop, start).trim());
      if (match) taken.push(match);
      start = match?.start ?? start;
      return match ?? null;
    });
    return [...others.reverse(), head];
  });
}

/**
 * Put a word into a slot of a text, "" to take it out. The other words of the text stay where that is possible: a word of the slot
 * is replaced, one that describes its head stands before it, and a new group at the end; else the sentence is made of its slots.
 * @param {Slot[][]} groups @param {Record<string, string[]>} kinds @param {string} text @param {number} slot @param {string} word
 * @returns {{text: string, loses: boolean}} `loses`: words of the text that are in no slot are lost
 */
export function edit(groups, kinds, text, slot, word) {
  const matches = parse(groups, kinds, text), match = matches[slot], words = matches.map((each, i) => (i === slot ? word : each?.word ?? ""));
  const heads = groups.flatMap((slots, g) => { const first = groups.slice(0, g).flat().length; return slots.map(() => first + slots.length - 1); });
  const head = matches[heads[slot]], isHead = heads[slot] === slot, { usual } = groups.flat()[slot];
  const put = (/** @type {number} */ start, /** @type {number} */ stop, /** @type {string} */ part) => ({ text: fitArticles(text.slice(0, start) + part + text.slice(stop)).replace(/\s+/g, " ").trim(), loses: false });
  if (match && (word || (!isHead && !usual))) return put(match.start, match.stop, word);
  if (!match && word && !isHead && head && !usual) return put(head.start, head.start, `${word} `);
  if (!match && word && isHead && !matches.slice(slot).some(Boolean)) {
    const only = words.map((each, i) => (heads[i] === slot ? each : ""));
    return put(text.length, text.length, ` ${compose(groups, only)}`);
  }
  const whole = compose(groups, matches.map((each) => each?.word ?? "")), now = text.trim().replace(/\s+/g, " ");
  return { text: compose(groups, words), loses: now !== "" && whole.toLowerCase() !== now.toLowerCase() };
}

/** All occurrences of phrases before an index of a text, the longest first of those that begin together. @param {string[]} phrases @param {string} text @param {number} stop @returns {Match[]} */
function occurrences(phrases, text, stop) {
  const lower = text.toLowerCase(), isLetter = (/** @type {string | undefined} */ letter) => letter !== undefined && /[\p{L}\p{N}_]/u.test(letter);
  /** @type {Match[]} */
  const result = [];
  for (const word of phrases) for (let start = lower.indexOf(word.toLowerCase()); start >= 0 && start + word.length <= stop; start = lower.indexOf(word.toLowerCase(), start + 1))
    if (!isLetter(lower[start - 1]) && !isLetter(lower[start + word.length])) result.push({ start, stop: start + word.length, word });
  return result.sort((a, b) => a.start - b.start || b.stop - a.stop);
}
