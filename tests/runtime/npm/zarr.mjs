// Read the array in the folder `scans` by zarrita.

import { readFile } from "node:fs/promises";
import photos from "@pointillist/photos";
import { register } from "pointillist/zarrita";
import * as zarr from "zarrita";

await register(zarr.registry, photos);
const store = { get: (key) => readFile(`scans${key}`).then((bytes) => new Uint8Array(bytes), () => undefined) };
const { data, shape } = await zarr.get(await zarr.open.v3(zarr.root(store), { kind: "array" }));
console.log(JSON.stringify([shape, Array.from(data)]));
