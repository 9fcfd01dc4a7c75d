// Prompts for words that are learned with a model, as `pointillist/model/free_prompts.py` reads them, by letters alone: a page has no
// sentence encoder. `others` are words that misspell none; without them only letters that are doubled or exchanged do.

const ENDINGS = [["s", ""], ["es", ""], ["ies", "y"], ["ves", "f"]], ROWS = "qwertyuiop asdfghjkl zxcvbnm";
const ARTICLES = new Set(["a", "an", "the"]), FREE = new Set(["a", "i"]), SHORTEST = 5, SAID = 8, LOOKED_UP = 200, SHOWN = 4, WORDS = 64;
const NEGATIONS = new Set("no not without never none nothing neither nor non".split(" ")), LETTER = "[\\p{L}\\p{N}_]";
const [FORM, LIKELY, NEIGHBOUR, OTHER, TWICE, NEVER] = [-1, 0, 1, 2, 3, 4], [COLOUR, NOUN, FUNCTION] = ["colour", "noun", "function"];
const either = (/** @type {string[]} */ words) => words.sort((a, b) => b.length - a.length).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
const quote = (/** @type {string} */ text) => `'${text}'`, wordsOf = (/** @type {string} */ text) => text.toLowerCase().match(/[\p{L}\p{N}_]+(?:['’][\p{L}\p{N}_]+)?/gu) ?? [];

/** What a word may be the plural of. @param {string} word */
export const singularsOf = (word) => ENDINGS.filter(([ending]) => word.endsWith(ending)).map(([ending, other]) => word.slice(0, word.length - ending.length) + other);

/** Letters that are left out, added or replaced, and neighbours that are exchanged. @param {string} text @param {string} other */
function editDistance(text, other) {
  let last = [0], before = [0], row = Array.from({ length: other.length + 1 }, (_, j) => j);
  for (let i = 0; i < text.length; i++) {
    [last, before, row] = [before, row, [i + 1]];
    for (let j = 0; j < other.length; j++) {
      const cost = Math.min(row[j] + 1, before[j + 1] + 1, before[j] + (text[i] === other[j] ? 0 : 1));
      row.push(i && j && text[i] === other[j - 1] && other[j] === text[i - 1] ? Math.min(cost, last[j - 1] + 1) : cost);
    }
  }
  return row[other.length];
}

/** The kind of misspelling that a text is of another. @param {string} text @param {string} other */
function misspelling(text, other) {
  const distance = text === other || Math.abs(text.length - other.length) > 2 ? 3 : editDistance(text, other);
  if (distance > 1) return distance === 2 && Math.min(text.length, other.length) >= SHORTEST && text[0] === other[0] ? TWICE : NEVER;
  const sorted = (/** @type {string} */ word) => [...word].sort().join(""), single = (/** @type {string} */ word) => word.replace(/(.)\1+/gu, "$1");
  if (sorted(text) === sorted(other) || single(text) === single(other)) return LIKELY;
  if (text.length !== other.length) return text[0] === other[0] ? NEIGHBOUR : OTHER;
  const at = [...text].findIndex((letter, i) => letter !== other[i]);
  return ROWS.includes(text[at] + other[at]) || ROWS.includes(other[at] + text[at]) ? NEIGHBOUR : OTHER;
}

/** Names of five letters or more that are a misspelling of a word in one letter. @param {string} word @param {Iterable<string>} names */
export const singleEdits = (word, names) => [...names].filter((name) => name.length >= SHORTEST && misspelling(word, name) < TWICE);

/** @typedef {{table: Record<string, string[] | [string, number][][]>, rewritten: string[], content: string[], colours: Record<string, string[]>}} Grammar */
/** @typedef {{kinds: Record<string, string>, nouns: string[], relations: string, examples: string, others: string, readAs: Record<string, string>, grammar: Grammar | null}} WordKinds as `KnownWords.exported` in Python writes them */

/** Let "a" and "an" agree with the words after them. @param {string[]} words */
const agreeing = (words) => words.map((word, i) => (["a", "an"].includes(word) && i + 1 < words.length ? ("aeiou".includes(words[i + 1][0].toLowerCase()) ? "an" : "a") : word)).join(" ");
/** Remove the spaces and articles that words leave behind which are left out. @param {string} text */
function tidied(text) {
  const words = text.split(/\s+/).filter(Boolean), isArticle = (/** @type {string} */ word) => ARTICLES.has(word.toLowerCase());
  return agreeing(words.filter((word, i) => !isArticle(word) || (i + 1 < words.length && !isArticle(words[i + 1]) && !words[i + 1].startsWith(",")))).replaceAll(" ,", ",");
}

/** A function of a key and a start that returns where its matches end, the preferred first, with the number, start and end of braces that are rewritten; of all ways to one end the first is known. @param {Grammar["table"]} table @param {string[]} words */
function matcher(table, words) {
  /** @typedef {Map<number, [number, number, number][]>} Ends */
  const known = /** @type {Map<string, Ends>} */ (new Map()), add = (/** @type {Ends} */ map, /** @type {number} */ end, /** @type {[number, number, number][]} */ taken) => void (map.has(end) || map.set(end, taken));
  const ends = (/** @type {string} */ key, /** @type {number} */ start) => {
    const at = `${start} ${key}`, old = known.get(at), /** @type {Ends} */ result = old ?? new Map();
    if (old) return old;
    for (const sequence of table[key]) {
      if (typeof sequence === "string") {
        const end = start + sequence.split(" ").length;
        if (words.slice(start, end).join(" ") === sequence) add(result, end, []);
        continue;
      }
      let reached = /** @type {Ends} */ (new Map([[start, []]]));
      for (const element of sequence) {
        const after = /** @type {Ends} */ (new Map());
        for (const [from, taken] of reached) for (const [end, inside] of ends(element[0], from)) add(after, end, [...taken, .../** @type {[number, number, number][]} */ (element[1] ? [[element[1], from, end]] : inside)]);
        reached = after;
      }
      for (const [end, taken] of reached) add(result, end, taken);
    }
    known.set(at, result);
    return result;
  };
  return ends;
}

/** Parse texts by a grammar: the sentence that is sampled, and what no form covers. @param {Grammar} grammar */
function parser({ table, rewritten, content }) {
  const inside = new Set(content), joined = (/** @type {string[]} */ words) => words.join(" ").replaceAll(" ,", ",");
  const sampled = (/** @type {string[]} */ words, /** @type {ReturnType<typeof matcher>} */ ends) => {
    if (ends("sentences", 0).has(words.length)) return words;
    for (const [i, text] of rewritten.entries()) {
      const taken = ends(`rewritten ${i}`, 0).get(words.length), parts = new Map(taken?.map(([number, from, to]) => [number, words.slice(from, to).join(" ")]));
      const said = text.replace(/\{(\d+)\}/g, (_, number) => parts.get(Number(number)) ?? "").split(/\s+/).filter(Boolean);
      if (taken && said.length <= WORDS && matcher(table, said)("sentences", 0).has(said.length)) return said;
    }
    return null;
  };
  return (/** @type {string} */ text) => {
    const words = text.toLowerCase().match(/[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*|,/gu) ?? [], ends = matcher(table, words.slice(0, WORDS));
    for (let cut = Math.min(words.length, WORDS); cut > 0; cut--) {
      const said = cut < words.length && inside.has(words[cut]) ? null : sampled(words.slice(0, cut), ends);
      if (said) return joined(said) === joined(words) ? { text, rest: "" } : { text: joined(said), rest: joined(words.slice(cut)) };
    }
    return { text, rest: joined(words) };
  };
}

/** A function that reads prompts by the words of all captions: what is sampled, and a sentence for whatever is sampled as something else or left out; a negation is refused. @param {string[]} words @param {WordKinds} learned */
export function promptReader(words, { kinds, nouns, relations, examples, others, readAs, grammar }) {
  const table = new Map(Object.entries(kinds)), names = new Set(nouns), seen = new Set([...words, ...Object.keys(kinds).flatMap((phrase) => phrase.split(" "))]);
  const spellings = [...new Set([...words, ...[...seen].sort()])].filter((word) => word.length > 1);
  const isOther = new Set(others.split(" ")), parse = grammar && parser(grammar), knows = relations ? `: this model knows ${relations}, and one scene in a sentence.` : ".";
  const isKnown = (/** @type {string} */ word) => seen.has(word) || FREE.has(word) || (!table.size && (/^[\x00-\x7f]$/.test(word) || /^\p{Nd}+$/u.test(word)));
  const kindOf = (/** @type {string} */ word) => [word, ...singularsOf(word)].map((each) => table.get(each)).find(Boolean) ?? FUNCTION;
  const fits = (/** @type {string} */ text) => parse !== null && !parse(replaced(text, [])).rest;
  /** The words that an unknown one is spelled like: that make a sentence of the grammar with the texts around it, or of the likeliest kind between two others. @param {string} word @param {string} before @param {string} after @param {string[] | null} around */
  function nearest(word, before, after, around) {
    const forms = word.length > 2 ? [...singularsOf(word), `${word}s`] : [], most = !others || isOther.has(word) ? LIKELY : word.length < SHORTEST ? OTHER : TWICE;
    const alone = word.length < 3 ? FORM : word.length < SHORTEST ? Math.min(most, NEIGHBOUR) : most, place = kindOf(before) === NOUN ? [FUNCTION] : kindOf(after) === NOUN ? [COLOUR, NOUN, FUNCTION] : [NOUN, COLOUR, FUNCTION];
    const spelled = /** @type {Map<number, string[]>} */ (new Map());
    for (const name of spellings) {
      const odds = forms.includes(name) ? FORM : misspelling(word, name), at = place.indexOf(kindOf(name));
      const rank = odds > most ? null : around && fits(around.join(name)) ? odds - 8 : odds === FORM ? FORM : odds <= alone && at >= 0 ? 8 * at + odds : null;
      if (rank !== null) spelled.set(rank, [...(spelled.get(rank) ?? []), name]);
    }
    return spelled.get(Math.min(...spelled.keys())) ?? [];
  }

  /** Replace unknown words, or leave them out. @param {string} prompt @param {string[]} notes */
  function known(prompt, notes) {
    const tokens = [...prompt.matchAll(/[\p{L}\p{N}_]+|[^\p{L}\p{N}_\s]+/gu)].filter(([text]) => /^[\p{L}\p{N}_]/u.test(text) || /\p{So}/u.test(text)), pieces = /** @type {string[]} */ ([]), final = tokens.findLast(([text]) => !isKnown(text.toLowerCase()))?.index;
    let end = 0, last = "";
    for (const [i, { 0: text, index }] of tokens.entries()) {
      const word = text.toLowerCase(), after = tokens[i + 1]?.[0].toLowerCase() ?? "", isNew = !isKnown(word), around = index === final ? [pieces.join("") + prompt.slice(end, index), prompt.slice(index + text.length)] : null, near = isNew && i < LOOKED_UP ? nearest(word, last, after, around) : [];
      last = isNew ? near[0] ?? "" : word;
      if (!isNew) continue;
      const bare = !near.length && names.size && kindOf(after) !== NOUN, others = near.length > 1 ? ` (${near.slice(1, SHOWN).map(quote).join(", ")} is as near)` : "";
      pieces.push(bare ? prompt.slice(end, index).replace(/(^|[^\p{L}\p{N}_])(an?|the)\s+$/iu, "$1") : prompt.slice(end, index), near[0] ?? "");
      notes.push(near.length ? `${quote(text)} is sampled as ${quote(near[0])}, the nearest that this model knows${others}: quote the prompt to sample it literally.` : `${quote(text)} is unknown to this model, and is left out.`);
      end = index + text.length;
    }
    return pieces.length ? tidied(pieces.join("") + prompt.slice(end)) : prompt;
  }

  /** Replace words and phrases that mean the same, and colours that their thing cannot take. @param {string} text @param {string[]} notes */
  function replaced(text, notes) {
    const result = !Object.keys(readAs).length ? text : text.replace(new RegExp(`(?<!${LETTER})(?:${either(Object.keys(readAs))})(?!${LETTER})`, "giu"), (typed) => {
      const meant = readAs[typed.toLowerCase()], colours = grammar?.colours[meant];
      notes.push(`${quote(typed)} is read as ${quote(meant)}${colours ? `, which takes ${colours.join(" or ") || "no colour"}` : ""}.`);
      return meant;
    });
    return result === text ? text : agreeing(result.split(/\s+/).filter(Boolean));
  }
  /** The sentence that the grammar covers. @param {string} text @param {string[]} notes */
  function covered(text, notes) {
    const parsed = parse?.(text) ?? { text, rest: "" }, rest = parsed.rest.replace(/^[, ]+/, ""), said = parsed.text === text ? text : agreeing(parsed.text.split(" "));
    if (rest) notes.push(parsed.text === text ? `No caption in training has the form of ${quote(text)}${knows}` : `${quote(rest)} is left out, as no caption goes on so after ${quote(said)}${knows}`);
    else if (said !== text) notes.push(`The prompt is sampled as ${quote(said)}, which says the same in the words of captions.`);
    return said;
  }

  return (/** @type {string} */ prompt) => {
    const no = wordsOf(prompt).find((word) => (NEGATIONS.has(word) || word.endsWith("n't")) && !seen.has(word));
    if (no !== undefined) throw new Error(`The prompt has ${quote(no)}, and this model has learned no negation: say what is seen, and name what is not in a negative prompt.`);
    /** @type {string[]} */
    const notes = [];
    const text = replaced(known(replaced(prompt, notes), notes), notes);
    if (prompt.trim() && wordsOf(text).every((word) => ARTICLES.has(word))) throw new Error(`The prompt ${quote(prompt)} has no word that this model knows, such as ${examples}.`);
    const sampled = grammar && text.trim() ? covered(text, notes) : text, different = [...new Set(notes)], more = different.length - SAID;
    return { text: sampled, notes: more > 0 ? [...different.slice(0, SAID), `${more.toLocaleString("en")} more words are sampled as others, or left out.`] : different };
  };
}
