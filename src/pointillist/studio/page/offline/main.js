// Entry point of an exported page: the studio, answered by a worker in place of a server. The model comes after the program.

import { html } from "../shared/dom.js";
import { render } from "../studio.js";
import { WorkerTransport } from "./workers/worker_transport.js";
import { Workers, workersFor } from "./workers/workers.js";

const textOf = (/** @type {string} */ id) => document.getElementById(id)?.textContent ?? "";
const el = document.getElementById("studio"), bar = el?.querySelector("progress");

if (el && bar) {
  const most = workersFor(navigator.hardwareConcurrency);
  const link = location.protocol !== "about:"; // a page within a report has no address
  const arriving = setInterval(() => (bar.value = [...(document.getElementById("model")?.childNodes ?? [])].reduce((sum, { nodeValue }) => sum + (nodeValue?.length ?? 0), 0)), 100);
  const workers = new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve)).then(() => {
    clearInterval(arriving);
    return new Workers((first) => new WorkerTransport(textOf("model"), textOf("worker"), first), most);
  });
  render(el, { address: "/", send: async (address, options) => (await workers).send(address, options), link, exported: true, workers: most, loading: bar.parentElement });
  el.querySelector(".go")?.append(html("p", { className: "note provenance" }, textOf("about")));
}
