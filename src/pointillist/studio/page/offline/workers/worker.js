// The worker of an exported page: it holds the model.

import { Responder } from "../responder.js";

/** @type {Responder | null} */
let responder = null;

self.addEventListener("message", ({ data: { packed, content, buffers } }) => {
  if (packed) responder = new Responder(packed, (message, bytes) => self.postMessage({ message, bytes }));
  else responder?.receive(content, buffers);
});
