// Made by tools/make_messages.py from the server's description: do not edit.
declare namespace Api {
  interface Canvas {
    seed?: number | null;
    index?: number;
    told?: Told;
  }
  interface Change {
    row: number;
    column: number;
    channel?: number;
    level: number;
  }
  interface ChangeAnswer {
    levels: Packed;
    bits_before: number;
    bits_after: number;
    bits_change: number;
    surprise: Packed;
    shift: Packed;
  }
  interface ChangeQuestion {
    levels: Packed;
    told?: Told;
    order?: string | null;
    changes: Change[];
  }
  interface Component {
    weight: number;
    mean: number;
    scale: number;
  }
  interface Conditions {
    labels: string[];
    attributes: Record<string, string[]>;
    vector: number | null;
    text: TextKind | null;
    hint: HintKind | null;
  }
  interface Details {
    network: string;
    parameters: number;
    sha256: string;
    image: ImageKind;
    fixed_size: boolean;
    likelihood: "bernoulli" | "categorical" | "mixture";
    mixtures: number;
    conditions: Conditions;
    orders: string[];
    bits_top: number;
    engine: string;
  }
  type Event = Queued | Started | Pixels | Finished | Failed;
  interface Failed {
    type: "failed";
    error: string;
    code: string;
  }
  interface Fault {
    error: string;
    code: string;
    size?: [number, number] | null;
    wanted?: [number, number] | null;
    resize?: string[] | null;
  }
  interface Finished {
    type: "finished";
    seconds: number;
    images: Painted[];
    recipe: Recipe;
  }
  interface GifRequest {
    images: Packed[];
    order?: string | null;
    known?: Packed | null;
    frames?: number;
    scale?: number | null;
    dark?: boolean;
  }
  interface Hello {
    version: string;
    limits: Limits;
    models: ModelInfo[];
  }
  interface HintKind {
    image: ImageKind | null;
    channels: number;
    derive: string | null;
  }
  interface ImageKind {
    mode: "grey" | "rgb" | "rgba" | "palette" | "codes";
    channels: number;
    height: number;
    width: number;
    levels: number;
    ordered: boolean;
    dtype: "uint8" | "uint16";
    palette: [number, number, number, number][] | null;
    values: number[] | null;
    channel_names: string[];
  }
  interface ImageQuestion {
    levels: Packed;
    told?: Told;
    order?: string | null;
  }
  interface LevelShare {
    level: number;
    prob: number;
  }
  interface Limits {
    body_bytes: number;
    picture_pixels: number;
    canvases: number;
    pixels: number;
    numbers: number;
    waiting: number;
    at_once: number;
    seconds: number;
  }
  interface Look {
    values: Packed;
    signed: boolean;
    unit: string;
    top: number;
  }
  interface LookQuestion {
    levels: Packed;
    told?: Told;
    order?: string | null;
    row: number;
    column: number;
    channel?: number | null;
  }
  interface Machine {
    processor: string;
    pointillist: string;
    torch: string;
    numpy: string;
  }
  interface Maps {
    surprise: Packed;
    entropy: Packed;
    bits: number;
    bits_per_dim: number;
    expected: number;
    z: number;
    sequence: number[];
  }
  interface ModelInfo {
    id: string;
    name: string;
    state: "waiting" | "loading" | "ready" | "failed";
    step: string | null;
    error: string | null;
    details: Details | null;
  }
  interface Packed {
    dtype: "uint8" | "uint16" | "float32";
    shape: number[];
    data: string;
  }
  interface PaintRequest {
    canvases: Canvas[];
    guidance?: number;
    temperature?: number;
    top_p?: number;
    order?: string | null;
    size?: [number, number] | null;
    start?: Start | null;
    engine?: "auto" | "cpu" | "cuda" | "cuda-jacobi" | "step";
    distributions?: boolean;
  }
  interface Painted {
    levels: Packed;
    bits: number;
    bits_per_dim: number;
    sha256: string;
  }
  interface PaintingModel {
    name: string;
    sha256: string;
  }
  interface Picture {
    levels: Packed;
    resized: "nearest" | "area" | null;
    exact: boolean;
    note: string | null;
  }
  interface PixelAnswer {
    row: number;
    column: number;
    channels: SubPixel[];
  }
  interface PixelQuestion {
    levels: Packed;
    told?: Told;
    order?: string | null;
    row: number;
    column: number;
    guidance?: number;
    temperature?: number;
    top_p?: number;
  }
  interface Pixels {
    type: "pixels";
    first: number;
    count: number;
    levels: Packed;
    entropy: Packed;
    surprise: Packed;
    probs?: Packed | null;
  }
  interface PngRequest {
    levels: Packed;
    scale?: number;
  }
  interface Queued {
    type: "queued";
    painting: string;
    ahead: number;
  }
  interface Recipe {
    format: "pointillist-recipe";
    version: "1";
    model: PaintingModel;
    machine: Machine;
    request: PaintRequest;
    sha256: string[];
  }
  interface RepaintRequest {
    recipe: Recipe;
  }
  interface Repainted {
    identical: boolean[];
    same_model: boolean;
    same_machine: boolean;
    message: string;
    images: Painted[];
  }
  interface Start {
    levels: Packed;
    known: Packed;
  }
  interface Started {
    type: "started";
    engine: string;
    order: string;
    height: number;
    width: number;
    seeds: number[];
    sequence: number[];
  }
  interface SubPixel {
    channel: number;
    name: string;
    observed: number;
    probs: number[];
    drawn: number[] | null;
    entropy: number;
    surprise: number;
    rank: number;
    mean: number | null;
    quantiles: Record<string, number> | null;
    top: LevelShare[];
    components: Component[] | null;
  }
  interface TextKind {
    encoder: string | null;
    learned: boolean;
  }
  interface Told {
    label?: number | string | null;
    text?: string | null;
    attributes?: Record<string, number | string | null> | null;
    vector?: number[] | null;
    hint?: Packed | null;
  }
}
