/** `<pointillist-picture>`: attributes model, text, label, seed, index, guidance, temperature, top-p, height, width, scale, alt, link. */
export declare class PointillistPicture extends HTMLElement {
  /** What is painted, in words: `alt`, or the prompt, the model and the seed. */
  readonly caption: string;
  /** What "Copy link" copies. */
  readonly address: string;
  /** Paint now; dispatches `painted`, or `error` with a sentence. */
  paint(): Promise<void>;
}
