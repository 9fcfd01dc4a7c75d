// The page of the server: the studio fills it.

import studio from "./studio.js";

const el = document.getElementById("studio");
if (el) studio.render({ el, model: { get: (/** @type {string} */ name) => (name === "address" ? "./" : /** @type {any} */ (undefined)) } });
