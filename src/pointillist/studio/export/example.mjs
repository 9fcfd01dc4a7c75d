// Paint a picture in Node: node example.mjs [SEED [LABEL]] > picture.ppm

import { open } from "./$name.js";

const model = await open();
const [seed = "0", label = null] = process.argv.slice(2);
const { rgba, width, height } = model.paint({ seed: Number(seed), label });
const rgb = rgba.filter((_, i) => i % 4 !== 3);
process.stdout.write(Buffer.concat([Buffer.from(`P6 $${width} $${height} 255\n`), Buffer.from(rgb)]));
