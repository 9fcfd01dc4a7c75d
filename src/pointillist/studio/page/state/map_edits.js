// Changed cells of endless maps, drawn by hand or healed by the model: in this browser by the name of the model, in a project by its checksum.

/** @typedef {{level: number, byHand: boolean}} Edit what was drawn by hand is not drawn again */
/** @typedef {Map<string, Edit>} MapEdits cells by model, seed, row and column */
/** @typedef {{model: {name: string, sha256: string}, seed: number, cells: [number, number, number, boolean][]}} EditedMap `cells`: row, column, level, and whether by hand */

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

/** Group the cells by map, for a project; cells of models that are not open are left out. @param {MapEdits} edits @param {Api.ModelInfo[]} models @returns {EditedMap[]} */
export function editedMaps(edits, models) {
  /** @type {Map<string, EditedMap>} */
  const maps = new Map();
  for (const [cell, { level, byHand }] of edits) {
    const [, name, seed, row, column] = /** @type {RegExpExecArray} */ (/^(.*):(\d+):(-?\d+),(-?\d+)$/.exec(cell));
    const sha256 = models.find(({ id }) => id === name)?.details?.sha256;
    if (!sha256) continue;
    const map = maps.get(`${name}:${seed}`) ?? { model: { name, sha256 }, seed: Number(seed), cells: [] };
    map.cells.push([Number(row), Number(column), level, byHand]);
    maps.set(`${name}:${seed}`, map);
  }
  return [...maps.values()];
}

/**
 * Return the cells of the maps of a project, by the models that are open here.
 * @param {EditedMap[]} maps @param {Api.ModelInfo[]} models @returns {MapEdits}
 * @throws {Error} if a model is not open, or a cell does not fit it
 */
export function readEdits(maps, models) {
  /** @type {MapEdits} */
  const edits = new Map();
  for (const { model: { name, sha256 }, seed, cells } of maps) {
    const model = models.find(({ details }) => details?.sha256 === sha256);
    if (!model?.details) throw new Error(`${name} is not open here`);
    const { levels } = model.details.image;
    for (const [row, column, level, byHand] of cells) {
      if (![seed, row, column, level].every(Number.isSafeInteger) || seed < 0 || level < 0 || level >= levels) throw new Error("A cell of an endless map does not fit its model");
      edits.set(cellOf(model.id, seed, row, column), { level, byHand: Boolean(byHand) });
    }
  }
  return edits;
}
