// Sentences about prompts that a model was not measured to show, without an encoder of sentences.

const ENDINGS = [["s", ""], ["es", ""], ["ies", "y"], ["ves", "f"], ["", "s"], ["", "es"]];

/** Words of a prompt before its style, as `describe_unmeasured_prompts` reads them. @param {string} prompt */
const subjectOf = (prompt) => (prompt.split(",")[0].toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []).filter((word) => word.length > 1 && !/^\d+$/.test(word) && word !== "an" && word !== "the");

/** @param {string[]} words */
const keyOf = (words) => [...new Set(words)].sort().join(" ");

/**
 * A sentence for each prompt that is none of the measured names, with the name of which it is the plural.
 * @param {string[]} names that samples were recognised by @param {(string | null | undefined)[]} prompts @returns {string[]}
 */
export function promptNotes(names, prompts) {
  const known = new Set(names.map((name) => keyOf(subjectOf(name)))), listed = new Set(names);
  return [...new Set(prompts)].flatMap((prompt) => {
    const words = subjectOf(prompt ?? ""), subject = words.join(" ");
    if (!names.length || !subject || known.has(keyOf(words))) return [];
    const same = ENDINGS.map(([ending, other]) => (subject.endsWith(ending) ? subject.slice(0, subject.length - ending.length) + other : "")).find((name) => listed.has(name));
    return [`This model was not measured to show '${subject}'${same ? `: of the names that it shows, the nearest is '${same}'` : ""}.`];
  });
}
