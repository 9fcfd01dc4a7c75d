// Answer the jobs of the standard input.

import { readFileSync } from "node:fs";
import { answer } from "./jobs.mjs";

process.stdout.write(await answer(JSON.parse(readFileSync(0, "utf8"))));
