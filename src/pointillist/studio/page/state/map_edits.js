// Changed cells of endless maps, drawn by hand or healed by the model: in this browser by the name of the model, in a project by its checksum.

/** @typedef {{level: number, byHand: boolean}} Edit what was drawn by hand is not drawn again */
/** @typedef {Map<string, Edit>} MapEdits cells by model, seed, row and column */
/** @typedef {{model: {name: string, sha256: string}, seed: number, cells: string}} EditedMap `cells`: as in a link */

const CELL = "-?\\d{1,9}\\.-?\\d{1,9}\\.\\d{1,5}(\\.h)?";
export const CELLS = RegExp(`^${CELL}(_${CELL})*$`); // row, column and level of each, and whether by hand

/** Name a cell. @param {string} model @param {number} seed @param {number} row @param {number} column */
export const cellOf = (model, seed, row, column) => `${model}:${seed}:${row},${column}`;

/** Count the changed cells of a map. @param {MapEdits} edits @param {string} model @param {number} seed */
export function countEdits(edits, model, seed) {
  return [...edits.keys()].filter((cell) => cell.startsWith(`${model}:${seed}:`)).length;
}

/** Write the changed cells of a map for a link. @param {MapEdits} edits @param {string} model @param {number} seed */
export function packCells(edits, model, seed) {
  const name = `${model}:${seed}:`, cells = [...edits].filter(([cell]) => cell.startsWith(name));
  return cells.map(([cell, { level, byHand }]) => `${cell.slice(name.length).replace(",", ".")}.${level}${byHand ? ".h" : ""}`).join("_");
}

/** Add the cells of a link to others; those that do not fit the model are left out. @param {MapEdits} edits @param {string} packed @param {string} model @param {number} seed @param {number} levels of the model @returns {MapEdits} */
export function withCells(edits, packed, model, seed, levels) {
  const cells = packed.split("_").map((cell) => cell.split("."));
  const read = cells.map(([row, column, level, hand]) => /** @type {const} */ ([cellOf(model, seed, Number(row), Number(column)), { level: Number(level), byHand: hand === "h" }]));
  return new Map([...edits, ...read.filter(([, { level }]) => level < levels)]);
}

/** List the maps with changed cells for a project; those of models that are not open are left out. @param {MapEdits} edits @param {Api.ModelInfo[]} models @returns {EditedMap[]} */
export function editedMaps(edits, models) {
  return [...new Set([...edits.keys()].map((cell) => cell.slice(0, cell.lastIndexOf(":"))))].flatMap((map) => {
    const at = map.lastIndexOf(":"), name = map.slice(0, at), seed = Number(map.slice(at + 1)), sha256 = models.find(({ id }) => id === name)?.details?.sha256;
    return sha256 ? [{ model: { name, sha256 }, seed, cells: packCells(edits, name, seed) }] : [];
  });
}

/**
 * Return the cells of a map of a project, by the model that is open here.
 * @param {EditedMap} map @param {Api.ModelInfo[]} models @returns {MapEdits}
 * @throws {Error} if the model is not open, or a cell does not fit it
 */
export function readEdits({ model: { name, sha256 }, seed, cells }, models) {
  const model = models.find(({ details }) => details?.sha256 === sha256);
  if (!model?.details) throw new Error(`${name} is not open here`);
  const isMap = Number.isSafeInteger(seed) && seed >= 0 && typeof cells === "string" && CELLS.test(cells), read = isMap ? withCells(new Map(), cells, model.id, seed, model.details.image.levels) : new Map();
  if (!isMap || read.size !== cells.split("_").length) throw new Error("A cell of an endless map does not fit its model");
  return read;
}
