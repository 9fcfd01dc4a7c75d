/* Runs inside Tiled, on the map that it opens: each action, and its undo. Writes a line of JSON for each. */
(function () {
  const environment = new Process();
  const write = (row) => {
    const file = new TextFile(environment.getEnv("POINTILLIST_TEST_OUT"), TextFile.Append);
    file.write(JSON.stringify(row) + "\n");
    file.commit();
  };

  function state(map) {
    const [layer, names] = [map.layerAt(0), []];
    for (let y = 0; y < map.height; y++) {
      for (let x = 0; x < map.width; x++) {
        const tile = layer.tileAt(x, y);
        names.push(tile ? tile.className || tile.type : null);
      }
    }
    return { width: map.width, height: map.height, names: names };
  }

  function check(map, name, use) {
    let error = null;
    try {
      use(map.layerAt(0));
    } catch (thrown) {
      error = thrown.message;
    }
    const after = state(map);
    if (error === null) map.undo();
    write({ name: name, error: error, after: after, undone: state(map) });
  }

  function drive(map) {
    const command = environment.getEnv("POINTILLIST_TEST_COMMAND");
    map.currentLayer = map.layerAt(0);
    map.setProperty("pointillist-command", command);
    map.selectedArea.set(Qt.rect(4, 5, 8, 6));
    const selected = map.selectedArea.get();
    write({ name: "start", error: null, after: state(map), undone: state(map) });
    check(map, "fill", () => tiled.trigger("PointillistFill"));
    check(map, "extend", (layer) => Pointillist.extend(map, layer, [2, 0, 3, 4], { seed: 1 }));
    const all = { boundingRect: Qt.rect(0, 0, map.width, map.height), contains: () => true };
    check(map, "vary", (layer) => Pointillist.vary(map, layer, all, 0.5, { seed: 1 }));
    const left = { boundingRect: Qt.rect(0, 0, 12, map.height), contains: (x) => x < 12 };
    check(map, "vary selection", (layer) => Pointillist.vary(map, layer, left, 0.9, { seed: 2 }));
    check(map, "obey", (layer) => Pointillist.obey(map, layer, selected, { seed: 1 }));
    map.setProperty("pointillist-command", "nowhere-at-all");
    check(map, "missing", (layer) => Pointillist.fill(map, layer, selected));
    write({ name: "done" });
  }

  if (tiled.activeAsset) drive(tiled.activeAsset);
  else tiled.assetOpened.connect(drive);
})();
