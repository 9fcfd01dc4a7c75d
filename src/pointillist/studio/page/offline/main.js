// Entry point of an exported page: the studio, answered by a worker in place of a server.

import { html } from "../shared/dom.js";
import studio from "../studio.js";
import { CommTransport } from "../transport/comm_transport.js";
import { WorkerComm } from "./workers/worker_comm.js";
import { Workers, workersFor } from "./workers/workers.js";

const textOf = (/** @type {string} */ id) => document.getElementById(id)?.textContent ?? "";
const el = document.getElementById("studio");

if (el) {
  const workers = new Workers((first) => {
    const comm = new WorkerComm(textOf("model"), textOf("worker"), first), transport = new CommTransport(comm, () => {});
    return { send: transport.send, get pending() { return transport.pending; }, get refused() { return comm.refused; } };
  }, workersFor(navigator.hardwareConcurrency));
  const link = location.protocol !== "about:"; // a page within a report has no address
  const host = { get: (/** @type {string} */ name) => ({ address: "/", send: workers.send, link, exported: true, workers: workers.most })[name] };
  studio.render({ el, model: /** @type {import("../studio.js").Host} */ (host) });
  el.querySelector(".go")?.append(html("p", { className: "note provenance" }, textOf("about")));
}
