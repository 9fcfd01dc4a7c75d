// A round in the dungeon of a day as text: its moves for a link, from which everyone plays it again, and a strip to paste.

import { packLevels, unpackLevels } from "../state/link.js";
import { FLOORS, LAMP, LETTERS } from "./quest.js";

const STRETCH = 20; // moves of a square of the strip
/** Squares by what happened, the most notable first; a stretch without an event is a dark one. */
const SQUARES = Object.entries({ m: "🟥", k: "🟨", s: "🟦", c: "🟫", ".": "⬛" });
/** Write moves for a link: their number, two bits for each, and the place of each spell with its direction. @param {string} log */
export function packMoves(log) {
  const steps = /** @type {number[]} */ ([]);
  const spells = [...log].flatMap((letter) => (LETTERS.includes(letter) ? (steps.push(LETTERS.indexOf(letter)), []) : [`.${steps.length}${letter}`]));
  return `${steps.length}.${packLevels(steps, LETTERS.length)}${spells.join("")}`;
}
/** Read moves of a link; null if they are none. @param {string} text @returns {string | null} */
export function readMoves(text) {
  const [count, packed, ...spells] = text.split("."), steps = /^\d{1,5}$/.test(count) && packed !== undefined ? unpackLevels(packed, LETTERS.length, Number(count)) : null;
  const places = spells.map((spell) => /^(\d{1,5})([URDL])$/.exec(spell));
  if (!steps || places.some((place) => !place || Number(place[1]) > steps.length)) return null;
  const cast = (/** @type {number} */ at) => places.map((place) => (Number(place?.[1]) === at ? place?.[2] : "")).join("");
  return steps.map((way, at) => cast(at) + LETTERS[way]).join("") + cast(steps.length);
}
/** Return the number of each move: 0 to 3, and 4 to 7 for a spell. @param {string} log */
export const movesOf = (log) => [...log].map((letter) => (LETTERS.includes(letter) ? LETTERS.indexOf(letter) : LETTERS.length + LETTERS.indexOf(letter.toLowerCase())));
/** Write a day: 2026-12-03. @param {number} day */
export const nameOfDay = (day) => String(day).padStart(8, "0").replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3");
/** Write a round to paste: a line for each floor, a square for each 20 moves. @param {import("./quest.js").Walk} walk */
export function strip({ day, end, steps, light, floor, events }) {
  const result = end === "won" ? `${steps} steps, light left for ${light} (lamp: ${LAMP})` : `the lamp went out on floor ${floor + 1} of ${FLOORS}, after ${steps} steps`;
  const floors = events.split("d"), lines = floors.map((happened, at) => {
    const stretches = happened.match(RegExp(`.{1,${STRETCH}}`, "g")) ?? [];
    const squares = stretches.map((stretch) => SQUARES.find(([event]) => stretch.includes(event))?.[1]).join("");
    return squares + (at < floors.length - 1 ? "🟩" : squares ? "💀" : "");
  });
  return [`Pointillist, dungeon of ${nameOfDay(day ?? 0)}`, result, ...lines.filter(Boolean)].join("\n");
}
