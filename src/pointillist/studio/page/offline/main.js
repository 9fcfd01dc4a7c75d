// Entry point of an exported page: the studio, answered by a worker in place of a server.

import { html } from "../shared/dom.js";
import studio from "../studio.js";
import { CommTransport } from "../transport/comm_transport.js";
import { WorkerComm } from "./worker_comm.js";

const textOf = (/** @type {string} */ id) => document.getElementById(id)?.textContent ?? "";
const el = document.getElementById("studio");

if (el) {
  const transport = new CommTransport(new WorkerComm(textOf("model"), textOf("worker")), () => {});
  const link = location.protocol !== "about:"; // a page within a report has no address
  const host = { get: (/** @type {string} */ name) => ({ address: "/", send: transport.send, link, exported: true })[name] };
  studio.render({ el, model: /** @type {import("../studio.js").Host} */ (host) });
  el.querySelector(".go")?.append(html("p", { className: "note provenance" }, textOf("about")));
}
