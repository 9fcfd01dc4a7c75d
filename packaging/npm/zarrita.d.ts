import type { ModelSource } from "./index.js";

/** Codec of chunks in Zarr's format 3, which reads what `pointillist[zarr]` wrote. */
export declare class Pointillist {
  static fromConfig(configuration: unknown, chunk: unknown): Pointillist;
  kind: "bytes_to_bytes";
  encode(): Promise<Uint8Array>;
  decode(bytes: Uint8Array): Promise<Uint8Array>;
}

/** Let zarrita read arrays by models, which are loaded by the names that the arrays give. */
export declare function register(registry: Map<string, any>, ...models: ModelSource[]): Promise<void>;
