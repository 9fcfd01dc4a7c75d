// Sample in a worker, and hand the levels over: the length that is left is 0.

import digits from "./node_modules/@pointillist/digits/index.js";
import { sample } from "./node_modules/pointillist/index.js";

const { levels } = await sample(digits, 1, { seed: 7 });
postMessage(levels, [levels.buffer]);
postMessage(levels.length);
