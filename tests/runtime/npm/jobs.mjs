// Calls of the package `pointillist` as it is installed next to this file: in Node, in a page, in a worker, bundled.

import * as api from "./node_modules/pointillist/index.js";

const addressOf = (model) => new URL(`./node_modules/@pointillist/${model}/index.js`, globalThis.MODELS ?? import.meta.url);
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const CALLS = {
  sample: (model, n, settings) => api.sample(addressOf(model), n, settings),
  byName: (model) => api.sample(model, 1, { seed: 7 }),
  progress: async (model, settings) => {
    const seen = [], { levels } = await api.sample(addressOf(model), 2, { ...settings, onProgress: ({ done, levels }) => seen.push([done, levels.slice()]) });
    return { shares: seen.map(([done]) => done), last: seen.at(-1)[1], levels };
  },
  stopped: (model) => api.sample(addressOf(model), 4, { signal: AbortSignal.timeout(1) }),
  together: async (model, seeds) => (await Promise.all(seeds.map((seed) => api.sample(addressOf(model), 1, { seed })))).map(({ levels }) => levels),
  inpaint: (model, ...rest) => api.inpaint(addressOf(model), ...rest),
  logProb: (model, ...rest) => api.logProb(addressOf(model), ...rest),
  readPrompt: (model, text) => api.readPrompt(addressOf(model), text),
  png: async (model, settings) => btoa(String.fromCharCode(...(await (await api.sample(addressOf(model), 1, settings)).toPNG()))),
  data: async (model, levels, shown) => api.toImageData(await api.load(addressOf(model)), levels, shown).data,
  decompress: (model, archive) => api.decompress(bytesOf(archive), addressOf(model)),
  world: async (model, seed, settings, chunks) => {
    const world = new api.World(await api.load(addressOf(model)), seed, settings);
    return Promise.all(chunks.map(([x, y]) => world.chunk(x, y)));
  },
  cut: async (model, length) => {
    const { default: { data, ...rest } } = await import(/* @vite-ignore */ addressOf(model).href);
    return api.load({ ...rest, data: data.slice(0, length) });
  },
  other: async (model, fingerprint) => api.load(addressOf(model), { fingerprint }),
  bytes: (length) => api.load(new Uint8Array(length)),
};
const plain = (_, value) => (ArrayBuffer.isView(value) ? Array.from(value, Number) : value instanceof api.Samples ? { ...value, model: null } : value);

/** Answers as JSON; an error is its sentence. */
export async function answer(jobs) {
  const answers = [];
  for (const [call, ...rest] of jobs) answers.push(await CALLS[call](...rest).catch((error) => error.message));
  return JSON.stringify(answers, plain);
}
globalThis.answer = answer;
