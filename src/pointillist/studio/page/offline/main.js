// Entry point of an exported page: the studio, answered by a worker in place of a server.

import { html } from "../shared/dom.js";
import { render } from "../studio.js";
import { WorkerTransport } from "./workers/worker_transport.js";
import { Workers, workersFor } from "./workers/workers.js";

const textOf = (/** @type {string} */ id) => document.getElementById(id)?.textContent ?? "";
const el = document.getElementById("studio");

if (el) {
  const workers = new Workers((first) => new WorkerTransport(textOf("model"), textOf("worker"), first), workersFor(navigator.hardwareConcurrency));
  const link = location.protocol !== "about:"; // a page within a report has no address
  render(el, { address: "/", send: workers.send, link, exported: true, workers: workers.most });
  el.querySelector(".go")?.append(html("p", { className: "note provenance" }, textOf("about")));
}
