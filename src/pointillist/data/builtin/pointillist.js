// SPDX-License-Identifier: Apache-2.0
/* Pointillist in Tiled: draws a part of the current tile layer again, by calling the command `pointillist`.

   Copy this file into the folder of extensions (Edit > Preferences > Plugins). The menu Map gets four actions:

     Fill selection   draws the selected tiles, given the tiles around them
     Extend           adds rows and columns, and draws them
     Vary             draws a share of the selected tiles, or of all, again
     Obey rules       draws the selected tiles, or all, by the rules of the map

   A tile is a level of the model if its class is the name of the level. Custom properties of the map choose the model
   (`pointillist-model`, `dungeons` by default), a TOML file of rules (`pointillist-rules`), and where the command is
   (`pointillist-command`). Each action is one step of Tiled's undo. */

var Pointillist = (function () {
  "use strict";

  const MARGIN = 24; // tiles around a selection that the model sees
  const OBSERVED = 'adjacency = "observed"\n'; // rules of a map that names none

  function setting(map, name, otherwise) {
    const value = map.property("pointillist-" + name);
    if (value === undefined || value === null || String(value) === "") return otherwise;
    return value.localFile || String(value);
  }

  function className(tile) {
    return tile.className || tile.type || "";
  }

  /* The tiles of a map as levels: `names` of levels, or null where no tile has a class and numbers count. */
  function levelsOf(map) {
    const tiles = [];
    for (const tileset of map.tilesets) tiles.push(...tileset.tiles);
    const named = tiles.filter((tile) => className(tile) !== "");
    const names = [...new Set(named.map(className))];
    return {
      names: names.length ? names : null,
      number: (tile) => (names.length ? names.indexOf(className(tile)) : tile.id),
      tile: (name, id) => (names.length ? named.find((tile) => className(tile) === name) : tiles[id]),
      count: Math.max(1, names.length || tiles.length),
    };
  }

  function writeText(path, text) {
    const file = new TextFile(path, TextFile.WriteOnly);
    file.write(text);
    file.commit();
  }

  function readText(path) {
    const file = new TextFile(path, TextFile.ReadOnly);
    const text = file.readAll();
    file.close();
    return text;
  }

  /* Write the tiles of a window as a finite map; `cells` are numbers of levels. */
  function writeMap(path, window, cells, levels) {
    const tiles = (levels.names || []).map((name, id) => ({ id: id, type: name }));
    const tileset = { firstgid: 1, name: "levels", tilecount: levels.count, tilewidth: 1, tileheight: 1 };
    if (tiles.length) tileset.tiles = tiles;
    const size = { width: window.width, height: window.height };
    const layer = { type: "tilelayer", name: "map", x: 0, y: 0, data: cells.map((level) => level + 1) };
    const map = { type: "map", orientation: "orthogonal", infinite: false, tilewidth: 1, tileheight: 1 };
    const parts = { tilesets: [tileset], layers: [Object.assign(layer, size)] };
    writeText(path, JSON.stringify(Object.assign(map, size, parts)));
  }

  /* Read a map that the command wrote: its levels by number, and their names. */
  function readMap(path) {
    const map = JSON.parse(readText(path));
    const names = [];
    for (const tile of map.tilesets[0].tiles || []) names[tile.id] = tile.type;
    return { cells: map.layers[0].data.map((gid) => gid - 1), names: names };
  }

  function writeMask(path, window, hole) {
    const image = new Image(window.width, window.height, Image.Format_RGB32);
    image.fill(0xff000000);
    hole.forEach((open, i) => {
      if (open) image.setPixel(i % window.width, Math.floor(i / window.width), 0xffffffff);
    });
    image.save(path, "PNG");
  }

  function run(command, options) {
    const process = new Process();
    let code = -1;
    try {
      code = process.exec(command, options);
    } catch (error) {
      code = -1;
    }
    const lines = process.readStdErr().trim().split("\n");
    if (code === 0) return;
    if (code !== -1 && lines[0]) throw new Error(lines[lines.length - 1].replace(/^Error: /, ""));
    throw new Error(
      "`" + command + "` cannot be started: set the property `pointillist-command` of the map to its path."
    );
  }

  /* Call a function with the path of a new folder, which is removed. */
  function withFolder(use) {
    const process = new Process();
    const parent = process.getEnv("TMPDIR") || process.getEnv("TEMP") || "/tmp";
    const folder = parent + "/pointillist-" + Date.now() + "-" + Math.floor(Math.random() * 1e9);
    File.makePath(folder);
    try {
      return use(folder);
    } finally {
      File.remove(folder);
    }
  }

  function grown(rect, by) {
    return Qt.rect(rect.x - by, rect.y - by, rect.width + 2 * by, rect.height + 2 * by);
  }

  function shared(rect, other) {
    const x = Math.max(rect.x, other.x);
    const y = Math.max(rect.y, other.y);
    const right = Math.min(rect.x + rect.width, other.x + other.width);
    const bottom = Math.min(rect.y + rect.height, other.y + other.height);
    return Qt.rect(x, y, Math.max(0, right - x), Math.max(0, bottom - y));
  }

  /* The rectangle of tiles that a layer can have, or of an infinite map those that it has. */
  function bounds(map, layer) {
    return map.infinite ? layer.region().boundingRect : Qt.rect(0, 0, map.width, map.height);
  }

  /* Draw the tiles of the window again for which `isOpen(x, y)` holds. Tiles of the map that are not there are open
     too, but stay empty. `options`: seed, rules (a path), share (of the open tiles that are there). Returns the new tiles. */
  function draw(map, layer, window, isOpen, options) {
    const levels = levelsOf(map);
    const cells = [];
    const hole = [];
    const varies = options.share !== undefined;
    for (let y = window.y; y < window.y + window.height; y++) {
      for (let x = window.x; x < window.x + window.width; x++) {
        const tile = layer.tileAt(x, y);
        const level = tile ? levels.number(tile) : -1;
        const open = varies ? Boolean(tile) && isOpen(x, y) : !tile || isOpen(x, y);
        if (tile && level < 0 && (varies || !open)) {
          throw new Error("A tile of the layer has no class: set it to the name of a level of the model.");
        }
        cells.push(level);
        hole.push(open);
      }
    }
    if (!hole.includes(true)) throw new Error("There are no tiles to draw again: select some.");
    const size = window.height + "x" + window.width;
    const seed = options.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : options.seed;
    const result = withFolder((folder) => {
      const [input, mask, out] = ["map.tmj", "mask.png", "out.tmj"].map((name) => folder + "/" + name);
      const how = ["-n", "1", "--seed", String(seed), "--out", out];
      if (options.rules) how.push("--rules", options.rules);
      if (options.rules === "") {
        writeText(folder + "/rules.toml", OBSERVED);
        how.push("--rules", folder + "/rules.toml");
      }
      const [command, model] = [setting(map, "command", "pointillist"), setting(map, "model", "dungeons")];
      const known = cells.find((level, i) => level >= 0 && (varies || !hole[i]));
      if (known === undefined) {
        run(command, ["sample", model, "--size", size, ...how]);
      } else {
        writeMap(input, window, cells.map((level) => (level < 0 ? known || 0 : level)), levels);
        writeMask(mask, window, hole);
        if (varies) how.push("--vary", String(options.share));
        if (hole.includes(false)) how.push("--mask", mask);
        run(command, ["inpaint", model, input, ...how]);
      }
      return readMap(out);
    });
    const changes = [];
    result.cells.forEach((level, i) => {
      const [x, y] = [window.x + (i % window.width), window.y + Math.floor(i / window.width)];
      const changed = varies ? hole[i] : isOpen(x, y);
      const tile = levels.tile(result.names[level], level);
      if (changed && !tile) {
        const what = result.names[level] === undefined ? "of number " + level : "of class `" + result.names[level] + "`";
        throw new Error("No tileset of the map has a tile " + what + ", which is a level of the model: add one.");
      }
      if (changed && tile !== layer.tileAt(x, y)) changes.push([x, y, tile]);
    });
    return changes;
  }

  /* Set tiles as one step of undo. A map may be resized first, which replaces its layers. */
  function apply(map, layer, text, changes, resize) {
    const id = layer.id;
    let problem = null;
    map.macro(text, () => {
      try {
        const selected = map.selectedArea.get(); // Tiled would set tiles in it alone
        map.selectedArea.set(Qt.rect(0, 0, 0, 0));
        const [right, down] = resize ? resize() : [0, 0];
        const edit = (resize ? layerOf(map, id) : layer).edit();
        for (const [x, y, tile] of changes) edit.setTile(x + right, y + down, tile);
        edit.apply();
        if (!resize) map.selectedArea.set(selected);
      } catch (error) {
        problem = error; // Tiled only logs what is thrown in here
      }
    });
    if (problem) throw problem;
    return changes.length;
  }

  /* Find a layer of a map, or of a group, by its number. */
  function layerOf(parent, id) {
    for (const layer of parent.layers) {
      const found = layer.id === id ? layer : layer.isGroupLayer ? layerOf(layer, id) : null;
      if (found) return found;
    }
    return null;
  }

  function redraw(map, layer, region, text, options) {
    const rect = region.boundingRect;
    const all = bounds(map, layer);
    const near = map.infinite ? shared(grown(rect, MARGIN), grown(all, 2 ** 20)) : shared(grown(rect, MARGIN), all);
    if (rect.width < 1 || near.width < 1) throw new Error("Nothing is selected: select tiles with the selection tools.");
    const isOpen = (x, y) => region.contains(x, y);
    return apply(map, layer, text, draw(map, layer, near, isOpen, options));
  }

  function fill(map, layer, region, options) {
    return redraw(map, layer, region, "Fill selection", options || {});
  }

  function obey(map, layer, region, options) {
    const rules = setting(map, "rules", "");
    return redraw(map, layer, region, "Obey rules", Object.assign({ rules: rules }, options));
  }

  /* Add tiles around a map: `sides` has left, top, right and bottom. */
  function extend(map, layer, sides, options) {
    const old = bounds(map, layer);
    const [left, top, right, bottom] = sides;
    const wide = Qt.rect(old.x - left, old.y - top, old.width + left + right, old.height + top + bottom);
    const isNew = (x, y) => x < old.x || y < old.y || x >= old.x + old.width || y >= old.y + old.height;
    const changes = draw(map, layer, wide, isNew, options || {});
    return apply(map, layer, "Extend", changes, () => {
      if (map.infinite) return [0, 0];
      map.resize(Qt.size(wide.width, wide.height), Qt.point(left, top));
      return [left, top];
    });
  }

  function vary(map, layer, region, share, options) {
    return redraw(map, layer, region, "Vary", Object.assign({ share: share }, options));
  }

  /* The selected region, or the whole layer where nothing is selected. */
  function selectedOrAll(map, layer) {
    const selected = map.selectedArea.get();
    const all = { boundingRect: bounds(map, layer), contains: () => true };
    return selected.boundingRect.width > 0 ? selected : all;
  }

  /* The numbers of an answer; null where it was given up. */
  function ask(question, answer, count, isValid) {
    const text = tiled.prompt(question, answer, "Pointillist");
    if (!text) return null;
    const numbers = text.split(",").map(Number);
    if (numbers.length !== count || !numbers.every(isValid)) throw new Error("`" + text + "` must be as in " + answer + ".");
    return numbers;
  }

  function action(name, text, use) {
    const entry = tiled.registerAction("Pointillist" + name, () => {
      try {
        const map = tiled.activeAsset;
        if (!map || !map.isTileMap) throw new Error("No map is open: open one.");
        if (!map.currentLayer || !map.currentLayer.isTileLayer) throw new Error("Choose a tile layer.");
        use(map, map.currentLayer);
      } catch (error) {
        tiled.alert(error.message, "Pointillist");
      }
    });
    entry.text = "Pointillist: " + text;
    return { action: "Pointillist" + name };
  }

  const entries = [
    action("Fill", "fill selection", (map, layer) => fill(map, layer, map.selectedArea.get())),
    action("Extend", "extend", (map, layer) => {
      const isCount = (n) => Number.isInteger(n) && n >= 0;
      const sides = ask("Tiles to add: left, top, right, bottom", "0, 0, 16, 16", 4, isCount);
      if (sides) extend(map, layer, sides);
    }),
    action("Vary", "vary", (map, layer) => {
      const share = ask("Share of the tiles to draw again", "0.3", 1, (n) => n > 0 && n <= 1);
      if (share) vary(map, layer, selectedOrAll(map, layer), share[0]);
    }),
    action("Obey", "obey rules", (map, layer) => obey(map, layer, selectedOrAll(map, layer))),
  ];
  try {
    tiled.extendMenu("Map", [{ separator: true }, ...entries]);
  } catch (error) {
    tiled.log("Pointillist: no menu, as Tiled has no window.");
  }
  return { fill, extend, vary, obey };
})();
