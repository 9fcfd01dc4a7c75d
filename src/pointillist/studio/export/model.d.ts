/** Settings of a picture; guidance, temperature and top-p are by default those that suit the model. */
export interface Request {
  /** Names the picture, with `index`: the same everywhere. */
  seed?: number;
  index?: number;
  label?: string | number | null;
  text?: string | null;
  guidance?: number;
  temperature?: number;
  topP?: number;
  /** Of a model that paints any size. */
  height?: number;
  width?: number;
  /** A level or null for each sub-pixel `[channels, height, width]`: what is known is kept. */
  known?: ArrayLike<number | null> | null;
  order?: string;
  /** Levels `[channels, height, width]` of the image that a model is conditioned on. */
  hint?: ArrayLike<number> | null;
  /** Of a model of maps. */
  rules?: Rules | null;
}

/** A level by its number or its name. */
export type Level = number | string;

/** Rules that every map obeys, as `pointillist.Rules` in Python. A world has `fixed`, `adjacency`, `counts`, `connected` and `tries`. */
export interface Rules {
  regions?: { levels: Level[]; rows?: string; columns?: string }[];
  fixed?: { row: number; column: number; level: Level }[];
  border?: Level[];
  mirror?: "none" | "x" | "y" | "both";
  /** "observed": the pairs of neighbours in the training maps. */
  adjacency?: "observed" | { observed?: boolean; right?: [Level, Level][]; down?: [Level, Level][]; never?: [Level, Level][] } | null;
  counts?: { levels: Level[]; at_least?: number; at_most?: number | null }[];
  connected?: { levels: Level[] }[];
  paths?: { from: Level | Level[]; to: Level | Level[]; through?: Level[] }[];
  /** Maps that are drawn at most for each one. */
  tries?: number;
}

export interface Picture {
  /** `[channels, height, width]` */
  levels: Uint8Array | Uint16Array;
  channels: number;
  height: number;
  width: number;
  /** `[height, width, 4]`, for `new ImageData(picture.rgba, picture.width)` */
  rgba: Uint8ClampedArray<ArrayBuffer>;
  /** A sentence for each word of the prompt that is sampled as another, or that the model does not know. */
  notes: string[];
}

export interface Model {
  readonly name: string;
  readonly license: string;
  /** SHA-256 of the integer program: pictures of a fingerprint and a seed are the same everywhere. */
  readonly fingerprint: string;
  readonly labels: string[];
  readonly channels: number;
  readonly levels: number;
  readonly height: number;
  readonly width: number;
  /** Whether it runs as WebAssembly; else in JavaScript, more slowly. */
  readonly compiled: boolean;
  paint(request?: Request): Picture;
  /**
   * Paint sub-pixel by sub-pixel: `at` is its place in `levels`, `probabilities` what the model gave to each level (before
   * guidance and temperature), null for a level that was known. One painting of a model at a time.
   */
  steps(request?: Request): Generator<{ at: number; level: number; probabilities: Float64Array | null }, Picture>;
  rgba(levels: ArrayLike<number>): Uint8ClampedArray<ArrayBuffer>;
  /** An endless map by `dungeons` or another model that completes maps: the tiles of `pt.World`. */
  world(seed: number, settings?: { label?: string; chunkSize?: number; margin?: number; remembered?: number; rules?: Rules | null }): World;
}

export interface World {
  /** Levels `[32, 32]`, or of another `chunkSize`, of the chunk in column x and row y, in any order of visits. */
  chunk(x: number, y: number): Uint16Array;
  /** Levels `[height, width]` of a rectangle. */
  tiles(row: number, column: number, height: number, width: number): Uint16Array;
}

/** Open the model, once. */
export function open(): Promise<Model>;

/** The model for `load` of the package `pointillist`. */
declare const packed: { name: string; fingerprint: string; data: string };
export default packed;
