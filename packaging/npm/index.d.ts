import type { Model as Painter, Request, Rules } from "./model.js";

export type { Level, Picture, Request, Rules } from "./model.js";

/** What a package of a model exports, and a module of `pointillist export --js`. */
export interface Packed {
  name: string;
  /** SHA-256 of the integer program. */
  fingerprint: string;
  data: string;
}

/** A model: the name of its package, the package, the address of a module or of bytes, the bytes, or one that is loaded. */
export type ModelSource = string | URL | Uint8Array | ArrayBuffer | Packed | Model;

/** A model that is loaded; `paint` and `steps` paint at once, and block the thread. */
export declare class Model implements Omit<Painter, "world"> {
  private constructor();
  readonly name: string;
  readonly license: string;
  readonly fingerprint: string;
  readonly labels: string[];
  readonly channels: number;
  readonly levels: number;
  readonly height: number;
  readonly width: number;
  readonly compiled: boolean;
  paint: Painter["paint"];
  steps: Painter["steps"];
  rgba: Painter["rgba"];
}

export interface Watched {
  signal?: AbortSignal;
  /** Gets the pictures that are done (of the newest one a share), their number, and the levels of the newest one so far. */
  onProgress?: (progress: { done: number; total: number; levels: Uint8Array | Uint16Array }) => void;
}

/** How levels are shown: pixels a side, and whether a map is shown by its tiles or by a colour of each. */
export interface Shown {
  scale?: number;
  tiles?: boolean;
}

export interface SampleSettings extends Omit<Request, "label" | "text">, Watched {
  /** One value for all pictures, or one for each. */
  label?: string | number | null | (string | number | null)[];
  text?: string | null | (string | null)[];
  /** Height and width, of a model that paints any size. */
  size?: [number, number];
}

export interface InpaintSettings extends Watched {
  label?: string | number | null;
  text?: string | null;
  seed?: number;
  size?: [number, number];
  guidance?: number;
  temperature?: number;
  topP?: number;
  order?: string;
  method?: "auto" | "known" | "order" | "sequential";
}

/** Pictures of a model; `levels.buffer` may be transferred to another thread. */
export declare class Samples {
  readonly model: Model;
  /** `[n, channels, height, width]` */
  readonly levels: Uint8Array | Uint16Array;
  readonly shape: [number, number, number, number];
  readonly length: number;
  readonly seed: number;
  /** A sentence for each word of a prompt that is sampled as another, or that the model does not know. */
  readonly notes: string[];
  /** Of completions: log-probability of what was drawn. */
  readonly nats: number[] | null;
  /** Of completions: how they were drawn, and whether that is exact. */
  readonly message: string;
  /** Levels of a picture. */
  at(index: number): Uint8Array | Uint16Array;
  toImageData(index?: number, shown?: Shown): ImageData;
  toCanvas(index?: number, shown?: Shown & { canvas?: HTMLCanvasElement | OffscreenCanvas }): HTMLCanvasElement & OffscreenCanvas;
  toPNG(index?: number, shown?: { scale?: number }): Promise<Uint8Array<ArrayBuffer>>;
}

export interface ArchivedPicture {
  /** `[channels, height, width]` */
  levels: Uint16Array;
  /** Values of an array, of its type; else the levels. */
  values: Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | BigInt64Array;
  /** Type of the array, in numpy's words; null for pictures. */
  dtype: string | null;
  channels: number;
  height: number;
  width: number;
  /** -1 for none. */
  label: number;
}

/** Load a model; `fingerprint` is what it must have, or its first digits. */
export declare function load(model: ModelSource, settings?: { fingerprint?: string | null; signal?: AbortSignal }): Promise<Model>;

/** Sample `n` pictures: picture i depends on (seed, i) alone, as in Python. Without `n` there is one for each label or text. */
export declare function sample(model: ModelSource, n?: number | null, settings?: SampleSettings): Promise<Samples>;

/** Complete a picture, levels `[channels, height, width]`; `known` says which pixels `[height, width]` are kept. The most probable completion comes first. */
export declare function inpaint(model: ModelSource, image: ArrayLike<number>, known: ArrayLike<boolean | number>, n?: number, settings?: InpaintSettings): Promise<Samples>;

/** Log-probability of each sub-pixel given those before it, in nats, without guidance. */
export declare function logProb(
  model: ModelSource,
  levels: ArrayLike<number>,
  settings?: { label?: string | number | null; text?: string | null; order?: string; size?: [number, number]; signal?: AbortSignal },
): Promise<Float64Array>;

/** How a model reads a prompt. */
export declare function readPrompt(model: ModelSource, text: string): Promise<{ text: string; notes: string[] }>;

/** Decompress an archive of `pointillist compress` or `pt.compress`. */
export declare function decompress(archive: Uint8Array, model: ModelSource): Promise<ArchivedPicture[]>;

export declare function toImageData(model: Model, levels: ArrayLike<number>, shown?: Shown & { width?: number }): ImageData;

export declare function toCanvas(
  model: Model,
  levels: ArrayLike<number>,
  shown?: Shown & { width?: number; canvas?: HTMLCanvasElement | OffscreenCanvas },
): HTMLCanvasElement & OffscreenCanvas;

/** An endless map by `dungeons` or another model that completes maps: the tiles of `pt.World`. */
export declare class World {
  constructor(model: Model, seed?: number, settings?: { label?: string; chunkSize?: number; margin?: number; remembered?: number; rules?: Rules | null });
  readonly model: Model;
  /** Levels of the chunk in column x and row y, in any order of visits; their buffer may be transferred. */
  chunk(x: number, y: number, watched?: { signal?: AbortSignal }): Promise<Uint16Array>;
  /** Levels `[height, width]` of a rectangle. */
  tiles(row: number, column: number, height: number, width: number, watched?: { signal?: AbortSignal }): Promise<Uint16Array>;
}
