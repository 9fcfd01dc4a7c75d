// Play the dungeons of consecutive days with the rules of the page, and report whether all are won, and in how many steps:
//
//     pointillist export dungeons --js game
//     node benchmarks/dungeon_days.mjs game/dungeons.js [DAYS [FIRST, such as 2026-12-03]]
//
// The solver knows the map: weighted A* to the key, then to the stairs, around monsters where that is not far. It casts no spell.

import { pathToFileURL } from "node:url";
import { LAMP, SOLID, WAYS, begin, dayOf, questOf, rulesOfFloor, seedOf, step } from "../src/pointillist/studio/page/game/quest.js";

const MONSTER = 6; // steps that the solver walks to avoid one
const GREED = 2; // weight of the distance that is left: more draws fewer chunks, and paths may be longer
const FARTHEST = 200_000; // cells that are looked at

/** Find a way between cells, with a key through a locked door at its end or without; null if there is none near. */
function wayTo(nameAt, from, to, hasKey) {
  const name = ([row, column]) => `${row},${column}`, before = new Map([[name(from), null]]), costs = new Map([[name(from), 0]]);
  const left = ([row, column]) => GREED * (Math.abs(row - to[0]) + Math.abs(column - to[1])), buckets = [];
  const put = (cell, cost) => (buckets[Math.round(cost + left(cell))] ??= []).push(cell);
  put(from, 0);
  for (let at = 0, looked = 0; at < buckets.length && looked < FARTHEST; ) {
    const here = buckets[at]?.pop();
    if (!here) { at++; continue; }
    looked++;
    if (name(here) === name(to)) break;
    WAYS.forEach(([down, right], move) => {
      const next = [here[0] + down, here[1] + right], goal = name(next) === name(to), level = nameAt(...next);
      const open = goal || (level === "locked door" ? hasKey && Math.abs(next[0] - to[0]) + Math.abs(next[1] - to[1]) === 1 : !SOLID.includes(level) && level !== "stairs down");
      const cost = costs.get(name(here)) + 1 + (level === "monster" ? MONSTER : 0);
      if (!open || cost >= (costs.get(name(next)) ?? Infinity)) return;
      costs.set(name(next), cost);
      before.set(name(next), [here, move]);
      at = Math.min(at, Math.round(cost + left(next)));
      put(next, cost);
    });
  }
  if (!before.has(name(to))) return null;
  const moves = [];
  for (let each = before.get(name(to)); each; each = before.get(name(each[0]))) moves.unshift(each[1]);
  return moves;
}

/** Play a day; return the walk at its end. */
export function play(model, day) {
  const names = model.opened.details.image.level_names;
  let walk = begin(day), chunks = 0;
  while (!walk.end) {
    const { floor } = walk, seed = seedOf(day, floor), world = model.world(seed, { rules: rulesOfFloor(seed), remembered: 512 }), { key, stairs } = questOf(seed);
    const nameAt = (row, column) => {
      const [y, x] = [Math.floor(row / 32), Math.floor(column / 32)];
      return names[(world.chunks.get(`${x},${y}`) ?? world.chunk(x, y))[(row - 32 * y) * 32 + column - 32 * x]];
    };
    const ways = [wayTo(nameAt, [walk.row, walk.column], key, false), wayTo(nameAt, key, stairs, true)];
    if (ways.includes(null)) return { ...walk, end: "no way" };
    for (const move of ways.flat()) if (!walk.end) walk = step(walk, move, nameAt);
    chunks += world.chunks.size;
    if (walk.floor === floor && !walk.end) return { ...walk, end: "blocked" };
  }
  return { ...walk, chunks };
}

if (process.argv[2]) {
  const [file, count = "100", first = "2026-12-03"] = process.argv.slice(2), { open } = await import(pathToFileURL(file)), model = await open();
  const steps = [], lights = [], lost = [];
  const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  for (let n = 0; n < Number(count); n++) {
    const day = dayOf(new Date(Date.parse(first) + n * 86_400_000)), walk = play(model, day);
    if (walk.end === "won") steps.push(walk.steps), lights.push(walk.light);
    else lost.push(`${day} (${walk.end}, floor ${walk.floor + 1}, ${walk.steps} steps)`);
    if ((n + 1) % 5 && n + 1 < Number(count)) continue;
    const [sorted, left] = [steps, lights].map((all) => [...all].sort((a, b) => a - b));
    console.log(`${n + 1} days: won ${steps.length}${lost.length ? `, lost ${lost.join(", ")}` : ""}; steps ${sorted[0]}, ${at(sorted, 0.5)}, ${sorted.at(-1)} (least, median, most), at 4 a second ${[0, 0.5, 1].map((share) => (at(sorted, share) / 240).toFixed(1)).join(", ")} minutes; light left of ${LAMP}: ${left[0]}, ${at(left, 0.5)}, ${left.at(-1)}; chunks ${walk.chunks}`);
  }
}
