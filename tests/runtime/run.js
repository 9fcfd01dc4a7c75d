// Run jobs of test_javascript.py: JSON from the standard input, results as JSON to the standard output.

import { readFileSync } from "node:fs";
import { decodeArchive } from "../../runtime/archive.js";
import { conditions, openProgram, orderOf, sample, transform, uniforms } from "../../runtime/pointillist.js";
import { adjacencyTable } from "../../runtime/rules.js";
import { World } from "../../runtime/world.js";
import { ngrams, promptFeatures } from "../../runtime/prompts.js";
import { attributeFeatures, vectorFeatures } from "../../runtime/values.js";
import { CompiledPrograms } from "../../runtime/webassembly.js";

/** @type {Map<string, any>} */
const models = new Map();
const bytesOf = (path) => new Uint8Array(readFileSync(path));
const open = async (folder) => {
  if (!models.has(folder))
    models.set(folder, await openProgram(readFileSync(`${folder}/program.json`, "utf8"), bytesOf(`${folder}/program.safetensors`)));
  return models.get(folder);
};
const floats = (numbers) => (numbers ? Float64Array.from(numbers) : undefined);

const JOBS = {
  uniforms: ({ numbers, count }) => [...uniforms(numbers, count)],
  world: async ({ folder, seed, chunks, settings }) => {
    const world = new World(await open(folder), seed, settings);
    return chunks.map(([x, y]) => {
      try { return [...world.chunk(x, y)]; } catch (error) { return error.message; }
    });
  },
  adjacency: ({ levels }) => {
    try { return adjacencyTable({ observed: true }, levels); } catch (error) { return error.message; }
  },
  transform: ({ conditional, reference, guidance, temperature, topP, allowed }) =>
    [...transform(floats(conditional), floats(reference) ?? null, guidance, temperature, topP, allowed)],
  sample: async ({ folder, options }) => {
    const model = await open(folder), { inputs, uniforms: u, text, sentence, attributes, vector, ...rest } = options;
    const converted = inputs && Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, Int32Array.from(x)]));
    const features = text ? promptFeatures(model, text, sentence && Float32Array.from(sentence), rest.order)
      : attributes ? attributeFeatures(model, attributes, rest.order) : vector ? vectorFeatures(model, vector, rest.order) : undefined;
    const { levels, frequencies } = sample(model, { ...rest, inputs: converted, uniforms: floats(u), features });
    return { levels: [...levels], frequencies: [...frequencies] };
  },
  grids: async ({ folder, library, lowered, known, height, width }) => {
    const model = await open(folder), compiled = new CompiledPrograms(await WebAssembly.compile(bytesOf(library)), lowered.map(bytesOf));
    const copied = () => model.parts.map((list) => list.map((part) => ({ ...part }))); // each encodes anew
    return [undefined, compiled.grid(model)].map((grid) => [...conditions({ ...model, parts: copied(), grid }, orderOf(model), height, width, { known }).map]);
  },
  features: async ({ folder, text, sentence }) =>
    promptFeatures(await open(folder), text, sentence ? Float32Array.from(sentence) : null),
  ngrams: ({ text, length }) => ngrams(text, length),
  archive: async ({ folder, file }) => {
    const records = decodeArchive(bytesOf(file), await open(folder));
    return records.map(({ levels, ...rest }) => ({ ...rest, levels: [...levels] }));
  },
  damaged: async ({ folder, file }) => {
    const model = await open(folder), whole = bytesOf(file);
    return [...whole.keys()].flatMap((at) => [1, 128].map((flip) => {
      const bytes = whole.slice();
      bytes[at] ^= flip;
      try { return decodeArchive(bytes, model).length; } catch (error) { return error.message; }
    }));
  },
  damagedProgram: async ({ folder, places }) => {
    const whole = [`${folder}/program.json`, `${folder}/program.safetensors`].map(bytesOf), results = [];
    for (const [file, at] of places) {
      const files = whole.map((bytes) => bytes.slice());
      files[file][at % files[file].length] ^= 1;
      try { await openProgram(new TextDecoder().decode(files[0]), files[1]); results.push("opened"); } catch (error) { results.push("rejected"); }
    }
    return results;
  },
};

const results = [];
for (const { job, ...settings } of JSON.parse(readFileSync(0, "utf8"))) results.push(await JOBS[job](settings));
process.stdout.write(JSON.stringify(results));
