// What vite bundles: a picture here, and one of a worker.

import digits from "@pointillist/digits";
import { sample } from "pointillist";

sample(digits, 1, { seed: 7 }).then(({ levels }) => (window.here = Array.from(levels)));
const worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" }), messages = [];
worker.onmessage = ({ data }) => messages.push(data) === 2 && (window.there = [Array.from(messages[0]), messages[1]]);
