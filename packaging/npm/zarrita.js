// A codec for zarrita: reads the chunks that `pointillist[zarr]` wrote in Python.
//
//   import * as zarr from "zarrita";
//   register(zarr.registry, photos); // a package of the model, or what `pointillist export --js` wrote

import { decompress, load } from "./index.js";

/** Codec of chunks in Zarr's format 3. */
export class Pointillist {
  kind = /** @type {const} */ ("bytes_to_bytes");
  /** @param {{model: string}} configuration @param {{dataType: string, shape: number[]}} chunk */
  constructor({ model }, { dataType, shape }) {
    this.model = model; this.dataType = dataType; this.count = shape.reduce((a, b) => a * b, 1);
  }
  /** @param {any} configuration @param {any} chunk */
  static fromConfig(configuration, chunk) {
    if (typeof configuration?.model !== "string") throw new Error(`The codec 'pointillist' with ${JSON.stringify(configuration ?? {})} is not known: give a \`model\`.`);
    return new Pointillist(configuration, chunk);
  }
  /** @returns {Promise<Uint8Array>} */
  async encode() {
    throw new Error("JavaScript reads arrays that this codec wrote, and writes none: use `pointillist[zarr]` in Python.");
  }
  /** @param {Uint8Array} bytes @returns {Promise<Uint8Array>} */
  async decode(bytes) {
    const pictures = await decompress(bytes, this.model), count = pictures.reduce((sum, { values }) => sum + values.length, 0);
    if (count !== this.count) throw new Error(`The chunk holds ${count} values, not ${this.count} of type ${this.dataType} as the array says: it is of another array.`);
    const kind = /** @type {any} */ (pictures[0].values.constructor), result = new kind(count);
    let to = 0;
    for (const { values, channels, height, width } of pictures) for (let pixel = 0; pixel < height * width; pixel++)
      for (let channel = 0; channel < channels; channel++) result[to++] = values[channel * height * width + pixel];
    const named = { Uint8Array: "uint8", Int8Array: "int8", Uint16Array: "uint16", Int16Array: "int16", Uint32Array: "uint32", Int32Array: "int32", BigInt64Array: "int64" }[/** @type {"Uint8Array"} */ (kind.name)];
    if (named !== this.dataType && !(this.dataType === "bool" && pictures[0].dtype === "|b1")) throw new Error(`The chunk holds values of type ${named}, not ${this.dataType} as the array says: it is of another array.`);
    return new Uint8Array(result.buffer);
  }
}

/** Let zarrita read arrays by models, which are loaded here by the names that the arrays give. @param {Map<string, any>} registry of zarrita @param {import("./index.js").ModelSource[]} models */
export async function register(registry, ...models) {
  await Promise.all(models.map((model) => load(model)));
  registry.set("pointillist", () => Pointillist);
}
