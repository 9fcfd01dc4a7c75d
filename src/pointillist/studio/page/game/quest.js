// The rules of a walk through an endless map, and of the dungeon of a day: a pure function of a state and a move, for the page, for a
// replay and for a solver. The map is a function of its seed and rules; two facts more make a round: the moves, and the doors of spells.

/** @typedef {(row: number, column: number) => string | null} NameAt name of the level of a cell; null while it is drawn */
/** @typedef {[number, number]} Cell row and column */
/**
 * @typedef {object} Walk where a figure is and what it has
 * @property {number | null} day of the dungeon; null for a walk without an end
 * @property {number} floor @property {number} steps @property {number} row @property {number} column @property {number} light steps until the lamp is out
 * @property {number} keys @property {number} chests @property {number} monsters that were met
 * @property {ReadonlySet<string>} taken cells whose thing is gone, by map @property {readonly Cell[]} awake monsters that follow
 * @property {number} charges of the spell @property {string} log a letter for each move: `urdl`, and `URDL` for a door in that direction
 * @property {string} events what happened, a letter for each move @property {string} message @property {"won" | "dark" | null} end
 */

export const WAYS = /** @type {const} */ ([[-1, 0], [0, 1], [1, 0], [0, -1]]); // up, right, down, left
export const LETTERS = "urdl";
export const LAMP = 1400; // steps of light
export const FLOORS = 3, CHARGES = 3;
const BITE = 8, OIL = 25; // steps of light that a monster takes, and that a chest holds
const WAKE = 5, BEHIND = 3; // cells from which a monster smells the figure, and behind the door of a spell that are drawn again
const APART = 1e8, CHUNK = 32, START = 16; // seeds of the floors of a day; cells
export const SOLID = ["outside", "wall", "water", "tree", "locked door"];
export const COLLECTED = ["key", "chest", "monster", "locked door"]; // gone once the figure has been there
const JOINED = ["floor", "door", "key", "stairs up", "grass", "chest", "monster"]; // the vault of the stairs is closed

/** Return the seed of the map of a floor. @param {number} day @param {number} floor */
export const seedOf = (day, floor) => day + floor * APART;
/** Return the day of a time as a number, by UTC: 20261203. @param {Date} time */
export const dayOf = (time) => Number(time.toISOString().slice(0, 10).replaceAll("-", ""));
/** Place the key and the vault of the stairs: two chunks from the start, and two chunks further at a right angle. A gallery leads from side
 *  to side of the chunk of each, so it crosses the passages that join the other two sides: there is a way on every day. @param {number} seed
 *  @returns {{key: Cell, stairs: Cell, fixed: {row: number, column: number, level: string}[]}} */
export function questOf(seed) {
  let bits = (seed % 2 ** 32) >>> 0;
  const draw = (/** @type {number} */ count) => {
    bits = (bits + 0x6d2b79f5) >>> 0; // mulberry32
    let t = Math.imul(bits ^ (bits >>> 15), bits | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % count;
  };
  const way = draw(4), turn = (way + 1 + 2 * draw(2)) % 4, place = () => START - 4 + draw(9), [[down, right], [further, aside]] = [WAYS[way], WAYS[turn]];
  const key = /** @type {Cell} */ ([2 * CHUNK * down + place(), 2 * CHUNK * right + place()]);
  const stairs = /** @type {Cell} */ ([2 * CHUNK * (down + further) + place(), 2 * CHUNK * (right + aside) + place()]);
  const [doorDown, doorRight] = WAYS[draw(4)];
  const ring = [-1, 0, 1].flatMap((r) => [-1, 0, 1].map((c) => ({ row: stairs[0] + r, column: stairs[1] + c, level: !r && !c ? "stairs down" : r === doorDown && c === doorRight ? "locked door" : "wall" })));
  const at = (/** @type {Cell} */ [row, column], /** @type {string} */ level) => ({ row, column, level });
  const gallery = (/** @type {Cell} */ cell, axis = 1) => Array.from({ length: CHUNK }, (_, along) => at(/** @type {Cell} */ (cell.map((place, each) => (each === axis ? CHUNK * Math.floor(place / CHUNK) + along : place))), "floor"));
  const front = /** @type {Cell} */ ([stairs[0] + 2 * doorDown, stairs[1] + 2 * doorRight]), galleries = [...gallery([START, START]), ...gallery(key), ...gallery(front, doorRight ? 0 : 1)];
  return { key, stairs, fixed: [...galleries, at([START, START], "stairs up"), at(key, "key"), ...ring] }; // of two levels of a cell the later one counts
}
/** Return the rules of the map of a floor: all that is not locked is one piece, and the key and the vault are there. @param {number} seed @returns {any} */
export const rulesOfFloor = (seed) => ({ connected: [{ levels: JOINED }], fixed: questOf(seed).fixed });
/** Begin a round, or a walk without an end. @param {number | null} [day] @returns {Walk} */
export const begin = (day = null) => ({
  day, floor: 0, steps: 0, row: START, column: START, light: day === null ? Infinity : LAMP, keys: 0, chests: 0, monsters: 0, taken: new Set(), awake: [], charges: day === null ? 0 : CHARGES, log: "", events: "", message: "", end: null,
});
/** Name a cell whose thing was taken. @param {string} map @param {number} row @param {number} column */
export const takenAt = (map, row, column) => `${map}:${row},${column}`;
/** Take a step, or open a door by a spell. @param {Walk} walk @param {number} move 0 to 3, and 4 to 7 for a door in that direction @param {NameAt} mapAt the map of the floor @param {string} [map] its name
 *  @returns {Walk | null} null while a cell that counts is drawn; a walk with the same `log` where nothing moved */
export function step(walk, move, mapAt, map = String(walk.floor)) {
  const [down, right] = WAYS[move % 4], [row, column] = [walk.row + down, walk.column + right], hunted = walk.day !== null;
  const nameAt = (/** @type {number} */ r, /** @type {number} */ c) => (walk.taken.has(takenAt(map, r, c)) ? "floor" : mapAt(r, c));
  const name = nameAt(row, column), stays = (/** @type {string} */ message) => ({ ...walk, message });
  if (walk.end) return walk;
  if (name === null || (hunted && !near(row, column).every(([r, c]) => mapAt(r, c) !== null))) return null;
  if (move >= 4) {
    if (!walk.charges) return stays("The spell has no charge left.");
    if (!SOLID.includes(name)) return stays("There is nothing in the way there.");
    if (walk.day !== null && questOf(seedOf(walk.day, walk.floor)).fixed.some((cell) => cell.row === row && cell.column === column)) return stays("No spell opens the vault of the stairs.");
    if (Array.from({ length: BEHIND }, (_, far) => nameAt(row + (far + 1) * down, column + (far + 1) * right)).every((behind) => SOLID.includes(behind ?? "wall"))) return stays("No room lies near enough behind.");
    return { ...walk, charges: walk.charges - 1, log: walk.log + LETTERS[move - 4].toUpperCase(), events: `${walk.events}s`, message: "A door! The model draws the map around it …" };
  }
  if (name === "locked door" && walk.keys === 0) return stays("The door is locked: find a key.");
  if (SOLID.includes(name) && name !== "locked door") return stays("");
  const next = { ...walk, row, column, steps: walk.steps + 1, log: hunted ? walk.log + LETTERS[move] : "", message: "" };
  let event = name === "key" || name === "chest" ? name[0] : ".";
  if (COLLECTED.includes(name)) next.taken = new Set([...walk.taken, takenAt(map, row, column)]);
  if (name === "locked door") Object.assign(next, { keys: walk.keys - 1, message: "The key turns." });
  else if (name === "key") Object.assign(next, { keys: walk.keys + 1, message: "A key!" });
  else if (name === "chest") Object.assign(next, { chests: walk.chests + 1, message: hunted ? `Oil in the chest: light for ${OIL} steps more.` : "", light: walk.light + OIL });
  else if (name === "monster") bitten(next);
  if (!hunted) return { ...next, message: name.startsWith("stairs") ? "Press Enter to take the stairs." : next.message };
  next.light--;
  hunt(next, nameAt, map);
  if (next.monsters > walk.monsters) event = "m";
  if (name === "stairs down") {
    event = "d";
    if (++next.floor === FLOORS) next.end = "won";
    else Object.assign(next, { row: START, column: START, awake: [], taken: new Set(), message: "The stairs lead down." });
  }
  if (!next.end && next.light <= 0) next.end = "dark";
  if (next.end) next.message = next.end === "won" ? "Out! You have won." : "The lamp is out, and the dungeon keeps you.";
  return { ...next, light: Math.max(0, next.light), events: walk.events + event };
}
/** List the cells from which a monster smells a figure. @param {number} row @param {number} column @returns {Cell[]} */
function near(row, column) {
  return Array.from({ length: (2 * WAKE + 1) ** 2 }, (_, at) => [row - WAKE + Math.floor(at / (2 * WAKE + 1)), column - WAKE + (at % (2 * WAKE + 1))]);
}
/** Count a monster that met the figure. @param {Walk} walk */
function bitten(walk) {
  walk.monsters++;
  if (walk.day !== null) Object.assign(walk, { light: walk.light - BITE, message: `A monster! It takes light for ${BITE} steps.` });
}
/** Wake the monsters near the figure, and move those that are awake: one step for two of the figure. @param {Walk} walk @param {NameAt} nameAt @param {string} map */
function hunt(walk, nameAt, map) {
  const isHere = (/** @type {Cell} */ [r, c]) => r === walk.row && c === walk.column;
  const woken = near(walk.row, walk.column).filter(([r, c]) => nameAt(r, c) === "monster" && !walk.taken.has(takenAt(map, r, c)));
  if (woken.length) walk.taken = new Set([...walk.taken, ...woken.map(([r, c]) => takenAt(map, r, c))]);
  /** @type {Cell[]} */
  let awake = walk.awake.filter((each) => !isHere(each));
  for (let met = walk.awake.length - awake.length; met > 0; met--) bitten(walk);
  if (walk.steps % 2 === 0) awake = awake.map(([r, c]) => {
    const [down, right] = [Math.sign(walk.row - r), Math.sign(walk.column - c)], first = Math.abs(walk.row - r) >= Math.abs(walk.column - c);
    /** @type {Cell[]} */
    const ways = first ? [[r + down, c], [r, c + right]] : [[r, c + right], [r + down, c]];
    const open = (/** @type {Cell} */ [y, x]) => (y !== r || x !== c) && !SOLID.includes(nameAt(y, x) ?? "wall") && !awake.some(([a, b]) => a === y && b === x);
    return ways.find(open) ?? [r, c];
  });
  for (const each of awake) if (isHere(each)) bitten(walk);
  walk.awake = [...awake.filter((each) => !isHere(each)), ...woken.filter((each) => !isHere(each))];
}
