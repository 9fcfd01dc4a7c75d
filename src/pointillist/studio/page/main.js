// Entry point of the server's page.

import { render } from "./studio.js";

const el = document.getElementById("studio");
if (el) render(el, { address: "./", keep: true });
