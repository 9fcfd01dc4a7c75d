// The studio: `render(el, host)` puts it into an element.
// The layout depends on the size of that element, not of the window.

import { Server } from "./transport/api.js";
import { Address } from "./state/address.js";
import { PromptPanel } from "./panels/prompt_panel.js";
import { Header } from "./widgets/header.js";
import { Uploader } from "./transport/upload.js";
import { Commands, hasExample } from "./state/commands.js";
import { Dialogs } from "./widgets/dialogs.js";
import { html } from "./shared/dom.js";
import { Ghosts } from "./drawing/ghosts.js";
import { Gallery } from "./panels/gallery.js";
import { PointerTools } from "./drawing/pointer_tools.js";
import { Exporter } from "./transport/export.js";
import { Filler } from "./transport/filler.js";
import { FillPanel } from "./panels/fill_panel.js";
import { HintPad } from "./drawing/hint_pad.js";
import { Keeper } from "./state/keeper.js";
import { listenToKeys, TYPED } from "./widgets/keys.js";
import { Notifications } from "./widgets/notifications.js";
import { Painter } from "./transport/painter.js";
import { PixelPanel } from "./panels/pixel_panel.js";
import { Playback } from "./canvas/playback.js";
import { Queries } from "./transport/queries.js";
import { CanvasGrid } from "./canvas/canvas_grid.js";
import { State } from "./state/state.js";
import { Tabs } from "./widgets/tabs.js";
import { Toolbar } from "./drawing/toolbar.js";
import { Training, adoptReloaded } from "./state/training.js";
import { WorldPage } from "./panels/world_page.js";
import { canPlay } from "./game/figure.js";
import { GuessPage } from "./panels/guess_page.js";
import { TrainingPanel } from "./panels/training_panel.js";
import { FirstRun } from "./widgets/first_run.js";
import { ToolOptions } from "./drawing/tool_options.js";
import { PlayerControls } from "./canvas/player_controls.js";
/** @typedef {{address: string, send?: Send, keep?: boolean, link?: boolean, exported?: boolean, workers?: number, loading?: Element | null}} Host of the page */

const POLL_INTERVAL = 300; // milliseconds between polls while models load
const PATIENCE = 6000; // until a server that does not answer is mentioned
const CALM_INTERVAL = 5000; // and afterwards, to notice that the studio was started again

/** @param {HTMLElement} el @param {Host} host */
export function render(el, host) {
  const root = html("div", { className: "studio", tabIndex: -1 }); // takes the focus when nothing in it has it, to receive keys
  const server = new Server(host.address, host.send ?? ((address, options) => fetch(address, options)));
  const state = new State();
  state.exported = Boolean(host.exported);
  state.workers = host.workers ?? 1;
  const playback = new Playback(state);
  const queries = new Queries(state, server);
  const painter = new Painter(state, server, playback);
  const dialogs = new Dialogs(root);
  const exporter = new Exporter(state, server, painter);
  const uploader = new Uploader(state, server, dialogs, exporter);
  const pointerTools = new PointerTools(state, playback);
  const filler = new Filler(state, server, painter);
  uploader.paintHint = () => void (state.paintWhileDrawing && painter.paintLive());
  const worldPage = new WorldPage(state, server, Boolean(host.keep || host.link));
  const guessPage = new GuessPage(state, painter);
  const ghosts = new Ghosts(state, painter);
  const commands = new Commands({ state, playback, painter, pointerTools, queries, dialogs, uploader, filler, ghosts, worldPage, guessPage });

  const address = host.keep || host.link ? new Address(state, commands) : null;
  const card = new FirstRun(state, commands);
  const header = new Header(state, root, (id) => commands.useModel(id), () => commands.keys(), address && (() => void address.copy()));
  const promptPanel = new PromptPanel(state, painter, uploader, commands);
  const toolOptions = new ToolOptions(state, commands, ghosts);
  const toolbar = new Toolbar(state, commands, uploader, toolOptions.el);
  const canvasGrid = new CanvasGrid(state, queries, pointerTools, toolbar.below, new HintPad(state, painter));
  const controls = new PlayerControls(state, playback, filler, () => commands.complete());
  const fillPanel = new FillPanel(state, filler);
  const training = new Training(state, server, painter, () => refresh(state, server));
  const trainingPanel = new TrainingPanel(state, server);
  const pixelPanel = new PixelPanel(state, queries, commands, trainingPanel.el);
  const gallery = new Gallery(state, exporter, dialogs, () => keeper?.clear());
  const notifications = new Notifications(state, host.loading ?? html("p", {}, "Looking for models …"));
  const tabs = new Tabs(state, root);
  /** @type {{update: () => void}[]} */
  const parts = [header, card, promptPanel, toolbar, toolOptions, canvasGrid, fillPanel, controls, pixelPanel, trainingPanel, gallery, notifications, tabs];

  const middle = html("main", { className: "middle" }, toolbar.el, toolbar.column, canvasGrid.el, notifications.loading, controls.el);
  root.append(canvasGrid.skip, header.el, promptPanel.el, middle, tabs.el, html("aside", { className: "beside" }, fillPanel.el, card.el, notifications.el), pixelPanel.el, gallery.el, worldPage.el, guessPage.el);
  el.classList.add("studio-container");
  el.replaceChildren(root);
  state.listeners.push(() => parts.forEach((part) => part.update()));
  listenToKeys(root, state, commands);
  takeFiles(root, uploader, () => commands.paste());
  const keeper = host.keep ? new Keeper(state) : null;
  if (keeper) parts.push({ update: () => keeper.update() });
  if (address) parts.push(address);
  const begin = async () => {
    await keeper?.restore();
    const linked = address?.begin() ?? false;
    const first = !linked && state.wanted === "" && !state.gallery.length;
    const paintsFirst = () => first && (host.link || (Boolean(keeper) && hasExample(state.details)));
    await follow(state, server, training, { address, served: keeper !== null, first: () => (address && opensView(state, worldPage, guessPage)) || (paintsFirst() && void commands.showExample()) });
  };
  void begin();
}

/** Bring models and limits up to date. @param {State} state @param {Server} server */
async function refresh(state, server) {
  const info = await server.info();
  const known = new Map(state.models.map((one) => [JSON.stringify(one), one])); // the same objects, so that nothing is drawn again
  const models = info.models.map((one) => {
    const shown = state.models.find((other) => other.id === one.id);
    if (shown?.details && state.ownDetails.has(one.id) && shown.details.sha256 === one.details?.sha256) return shown; // in other colours
    return known.get(JSON.stringify(one)) ?? one;
  });
  const former = state.models;
  Object.assign(state, { models, limits: info.limits, version: info.version });
  for (const model of former) adoptReloaded(state, model);
  return info;
}

/**
 * Poll the state of the models until all are ready or failed.
 * @param {State} state @param {Server} server @param {Training} training
 * @param {{address: Address | null, served: boolean, first: () => void}} opening `served`: by a server, which answers at once unless it hangs; `first`: called with the first model */
async function follow(state, server, training, { address, served, first: begin }) {
  for (;;) {
    const late = served ? setTimeout(() => state.notify("error", LATE), PATIENCE) : 0;
    try {
      const info = await refresh(state, server);
      if (info.run !== null) training.watch();
      if (state.notice?.text === NO_ANSWER || state.notice?.text === LATE) state.notice = null;
    } catch {
      state.notify("error", NO_ANSWER);
    } finally {
      clearTimeout(late);
    }
    const ready = state.models.filter((one) => one.state === "ready");
    const wanted = state.models.find((one) => one.id === state.wanted && one.state !== "failed");
    const first = wanted ? ready.find((one) => one === wanted) : ready[0];
    if (!state.details && first) {
      state.useModel(first.id);
      begin();
    }
    if (address?.pending) void address.settle();
    state.changed();
    const settled = state.models.every((one) => one.state === "ready" || one.state === "failed");
    const interval = settled && state.models.length ? CALM_INTERVAL : POLL_INTERVAL;
    await new Promise((resolve) => setTimeout(resolve, interval));
    while (document.hidden) await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
  }
}

/** Open what the address asks for: `page.html?view=game`, or `walk`; return false for any other page. @param {State} state @param {WorldPage} worldPage @param {GuessPage} guessPage */
function opensView({ details }, worldPage, guessPage) {
  const view = new URLSearchParams(location.search).get("view"), opens = view === "game" || (view === "walk" && Boolean(details?.endless));
  if (view === "game") canPlay(details) ? worldPage.play() : guessPage.open();
  else if (opens) worldPage.open({ world: 7, at: [0, 0] });
  return opens;
}

const LATE = "The studio has not answered for some seconds: it is busy, or its command was suspended. Your work is kept on this page.";
const NO_ANSWER = "The studio does not answer: check that its command, or its kernel, is still running.";

/** Handle files that are dropped or pasted anywhere, and pasted pixels. @param {HTMLElement} el @param {Uploader} uploader @param {() => void} paste */
function takeFiles(el, uploader, paste) {
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
    uploader.take(event.dataTransfer?.files[0]);
  });
  const pasted = (/** @type {Event} */ event) => {
    const file = event instanceof ClipboardEvent && event.clipboardData?.files[0];
    if (file) uploader.take(file);
    else if (event.target instanceof Element && !event.target.matches(TYPED)) paste();
  };
  document.addEventListener("paste", pasted);
}
