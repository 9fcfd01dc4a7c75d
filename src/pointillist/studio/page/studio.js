// The studio, in the shape of an anywidget module: `render({ model, el })` puts it into an element and returns its end.
// Where it stands, the size of that element decides, not the size of the window.

import { Server } from "./api.js";
import { AskPanel } from "./ask.js";
import { Bar } from "./bar.js";
import { Bringing } from "./bringing.js";
import { Commands } from "./commands.js";
import { Dialogs } from "./dialogs.js";
import { h } from "./dom.js";
import { Gallery } from "./gallery.js";
import { Hand } from "./hand.js";
import { Keeping } from "./keeping.js";
import { listenToKeys } from "./keys.js";
import { Notices } from "./notices.js";
import { Painter } from "./painter.js";
import { PixelPanel } from "./pixel.js";
import { Player } from "./player.js";
import { Questions } from "./questions.js";
import { Stage } from "./stage.js";
import { State } from "./state.js";
import { Tabs } from "./tabs.js";
import { Tools } from "./tools.js";
import { Transport } from "./transport.js";

/** @typedef {import("./api.js").Send} Send */
/** @typedef {{get(name: "address"): string, get(name: "send"): Send | undefined}} Host what a page or a notebook gives */

const AGAIN = 300; // milliseconds between looks while models load

/** @param {{model: Host, el: HTMLElement}} where */
function render({ model, el }) {
  const root = h("div", { className: "studio", tabIndex: -1 }); // in focus wherever nothing in it is, so that it hears keys
  const server = new Server(model.get("address"), model.get("send") ?? ((address, options) => fetch(address, options)));
  const state = new State();
  const player = new Player(state);
  const questions = new Questions(state, server);
  const painter = new Painter(state, server, player);
  const dialogs = new Dialogs(root);
  const keeping = new Keeping(state, server, painter);
  const bringing = new Bringing(state, server, dialogs, keeping);
  const hand = new Hand(state, player);
  const commands = new Commands(state, player, painter, hand, questions, dialogs, bringing);

  const bar = new Bar(state, root, () => commands.keys());
  const ask = new AskPanel(state, painter, bringing);
  const tools = new Tools(state, commands, bringing);
  const stage = new Stage(state, questions, hand, tools.zoom);
  const transport = new Transport(state, player, () => commands.goOn());
  const pixel = new PixelPanel(state, questions, commands);
  const gallery = new Gallery(state, keeping, bringing);
  const notices = new Notices(state);
  const tabs = new Tabs(state, root);
  const parts = [bar, ask, tools, stage, transport, pixel, gallery, notices, tabs];

  const middle = h("main", { className: "middle" }, tools.el, stage.el, transport.el, notices.el);
  root.append(bar.el, middle, tabs.el, ask.el, pixel.el, gallery.el);
  el.classList.add("studio-place");
  el.replaceChildren(root);
  state.listeners.push(() => parts.forEach((part) => part.update()));
  const over = new AbortController();
  listenToKeys(root, state, commands, over.signal);
  takeFiles(root, bringing, over.signal);
  follow(state, server, over.signal);
  return () => {
    over.abort();
    painter.stop();
    el.replaceChildren();
  };
}

/** Ask how far the models are until all are ready or failed. @param {State} state @param {Server} server @param {AbortSignal} over */
async function follow(state, server, over) {
  while (!over.aborted) {
    try {
      const hello = await server.hello();
      Object.assign(state, { models: hello.models, limits: hello.limits, version: hello.version });
      if (state.notice?.text === LOST) state.notice = null;
    } catch {
      state.note("error", LOST);
    }
    const first = state.models.find((one) => one.state === "ready");
    if (!state.details && first) state.useModel(first.id);
    state.changed();
    const settled = state.models.every((one) => one.state === "ready" || one.state === "failed");
    if (settled && state.models.length) return;
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
  }
}
const LOST = "The studio does not answer: look whether its command, or its kernel, is still running.";

/** Files that are dropped or pasted anywhere. @param {HTMLElement} el @param {Bringing} bringing @param {AbortSignal} over */
function takeFiles(el, bringing, over) {
  const inside = (/** @type {boolean} */ on) => el.classList.toggle("dropping", on);
  el.addEventListener("dragover", (event) => {
    event.preventDefault();
    inside(true);
  });
  el.addEventListener("dragleave", (event) => {
    if (!(event.relatedTarget instanceof Node && el.contains(event.relatedTarget))) inside(false);
  });
  el.addEventListener("drop", (event) => {
    event.preventDefault();
    inside(false);
    bringing.take(event.dataTransfer?.files[0]);
  });
  const pasted = (/** @type {Event} */ event) => {
    const file = event instanceof ClipboardEvent && event.clipboardData?.files[0];
    if (file) bringing.take(file);
  };
  el.getRootNode().addEventListener("paste", pasted, { signal: over });
}

export default { render };
