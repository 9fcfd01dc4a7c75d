// Entry point of an exported page: the studio, answered by a worker in place of a server.

import { html } from "../shared/dom.js";
import studio from "../studio.js";
import { WorkerTransport } from "./workers/worker_transport.js";
import { Workers, workersFor } from "./workers/workers.js";

const textOf = (/** @type {string} */ id) => document.getElementById(id)?.textContent ?? "";
const el = document.getElementById("studio");

if (el) {
  const workers = new Workers((first) => new WorkerTransport(textOf("model"), textOf("worker"), first), workersFor(navigator.hardwareConcurrency));
  const link = location.protocol !== "about:"; // a page within a report has no address
  const host = { get: (/** @type {string} */ name) => ({ address: "/", send: workers.send, link, exported: true, workers: workers.most })[name] };
  studio.render({ el, model: /** @type {import("../studio.js").Host} */ (host) });
  el.querySelector(".go")?.append(html("p", { className: "note provenance" }, textOf("about")));
}
