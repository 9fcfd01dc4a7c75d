// Entry point of the server's page.

import studio from "./studio.js";

const el = document.getElementById("studio");
if (el) studio.render({ el, model: { get: (/** @type {string} */ name) => /** @type {any} */ ({ address: "./", keep: true })[name] } });
