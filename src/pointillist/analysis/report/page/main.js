// Behaviour of the page: the chosen pixel, and everything that is shown of it.

import { decodeArrays, decodeDistributions } from "./decode.js";
import { inflate } from "./shared/bytes.js";
import { Chart } from "./shared/chart.js";
import { balance, balanceOver, css, heat, levelName, swatch } from "./shared/colour.js";
import { formatFixed, formatPercent, html, oneIn } from "./shared/dom.js";
import { fill } from "./shared/fill.js";
import { WordBar, decodeWords } from "./words.js";

/** @param {string} id @returns {any} */
const part = (id) => document.getElementById(id);

const WORDS = "bits saved by words";
const REPLAY = 6000; // milliseconds of a replay

async function start() {
  const page = JSON.parse(part("data").textContent);
  const arrays = await decodeArrays(page.arrays);
  const distributionAt = await decodeDistributions(page);
  const gradients = page.gradients ? await inflate(page.gradients.data) : null;
  const [c, h, w] = page.shape, sites = h * w;
  const channels = Array.from({ length: c }, (_, i) => i);
  const sum = (/** @type {Float32Array} */ a, /** @type {number} */ site) => channels.reduce((t, i) => t + a[i * sites + site], 0);
  const z = (/** @type {number} */ site) => (sum(arrays.surprisal, site) - sum(arrays.entropy, site)) / Math.sqrt(Math.max(sum(arrays.variance, site), 1e-12));
  const picture = await pixelsOf(page.picture, h, w);
  const views = {
    image: (/** @type {number} */ site) => picture.slice(4 * site, 4 * site + 4),
    surprisal: (/** @type {number} */ site) => heat(sum(arrays.surprisal, site) / (page.color_max * c)),
    entropy: (/** @type {number} */ site) => heat(sum(arrays.entropy, site) / (page.color_max * c)),
    excess: (/** @type {number} */ site) => balance(z(site) / page.max_z),
    conditions: (/** @type {number} */ site) => balance(-sum(arrays.saved, site) / (page.color_max * c)),
    word: (/** @type {number} */ site) => balanceOver(views.image(site), -bitsAt(bar?.word ?? 0, site) / (page.color_max * c)),
  };
  const bitsAt = page.words ? await decodeWords(page.words, sites) : () => 0;
  const bar = page.words ? new WordBar(part("words"), page, bitsAt, () => showMap()) : null;
  const state = { view: "image", pinned: page.start, shown: -1, replay: 0 };

  const charts = channels.map((channel) => new Chart(page.image, channel, null));

  /** @param {HTMLCanvasElement} canvas @param {(site: number) => number[]} colour */
  const drawMap = (canvas, colour) => fill(canvas, h, w, (row, column) => colour(row * w + column));

  /** Show the chosen map, or the pixels of it that are painted by then. @param {number} [painted] */
  function showMap(painted = sites) {
    const view = bar && bar.word !== null ? "word" : state.view;
    const colour = views[/** @type {keyof typeof views} */ (view)];
    if (bar && bar.word !== null) part("word-name").textContent = bar.name(bar.word);
    drawMap(part("map"), (site) => (arrays.order_index[site] < painted ? colour(site) : [120, 118, 126, 60]));
    for (const tab of document.querySelectorAll("[data-view]")) tab.setAttribute("aria-pressed", String(tab.getAttribute("data-view") === view));
    for (const scale of document.querySelectorAll("[data-scale]")) scale.toggleAttribute("hidden", !(scale.getAttribute("data-scale") || "").split(" ").includes(view));
  }

  /** @param {number} site */
  function frame(site) {
    for (const id of ["mark", "mark2"]) {
      const mark = part(id);
      if (mark) mark.style.cssText = `left:${(100 * (site % w)) / w}%;top:${(100 * Math.floor(site / w)) / h}%;width:${100 / w}%;height:${100 / h}%`;
    }
  }

  /** @param {number} site */
  function showGradient(site) {
    if (!gradients) return;
    const index = page.gradients.pixels.indexOf(site);
    part("no-gradient").hidden = index >= 0;
    const here = arrays.order_index[site];
    const { signed, top, unit } = page.gradients;
    drawMap(part("gradient"), (at) => {
      if (index < 0 || at === site || arrays.order_index[at] >= here) return [120, 118, 126, 60];
      const byte = gradients[index * sites + at];
      return signed ? balance((byte - 128) / 127) : heat(byte / 255);
    });
    part("gradient-scale").hidden = index < 0;
    if (index < 0) return;
    part("gradient-low").textContent = signed ? `\u2212${top[index]}` : "0";
    part("gradient-top").textContent = `${signed ? "+" : ""}${top[index]} ${unit}`;
  }

  /** @param {number} site */
  function show(site) {
    if (site === state.shown) return;
    state.shown = site;
    const row = Math.floor(site / w), column = site % w;
    frame(site);
    part("where").textContent = `Row ${row}, column ${column}`;
    part("order-index").textContent = `pixel ${arrays.order_index[site] + 1} of ${sites} in the order of painting`;
    const numbers = [
      ["surprise", `${formatFixed(sum(arrays.surprisal, site))} bits`], ["chance", oneIn(sum(arrays.surprisal, site))],
      ["expected", `${formatFixed(sum(arrays.entropy, site))} bits`], ["excess", `${z(site) > 99 ? "> 99" : formatFixed(z(site), 1)} sigma`],
      ...(arrays.saved ? [["conditions save", `${formatFixed(sum(arrays.saved, site))} bits`]] : []),
      ...(bar ? [[WORDS, bar.light(site)]] : []),
    ];
    part("numbers").replaceChildren(...numbers.map(([name, value]) => html("div", { className: name === WORDS ? "line" : "" }, html("dt", {}, name), html("dd", {}, value))));
    part("bars").replaceChildren(...channels.map((channel) => showChannel(site, channel)));
    showGradient(site);
    const cursor = part("cursor");
    if (cursor) {
      const [left, right] = page.cumulative, x = left + ((right - left) * (arrays.order_index[site] + 0.5)) / sites;
      cursor.setAttribute("x1", String(x));
      cursor.setAttribute("x2", String(x));
    }
  }

  /** Paint the image again, pixel by pixel in its order, with what the model held of each; or stop. */
  function replay() {
    const button = part("replay"), running = state.replay !== 0;
    cancelAnimationFrame(state.replay);
    state.replay = 0;
    button.setAttribute("aria-pressed", String(!running));
    button.textContent = running ? "Replay the painting" : "Stop";
    part("where").parentElement.setAttribute("aria-live", running ? "polite" : "off"); // a thousand pixels are no news
    if (running) {
      showMap();
      return show(state.pinned);
    }
    const order = Array.from({ length: sites }, (_, site) => site).sort((a, b) => arrays.order_index[a] - arrays.order_index[b]);
    const began = performance.now();
    const step = (/** @type {number} */ now) => {
      const painted = Math.min(sites, Math.floor(((now - began) / REPLAY) * sites) + 1);
      if (painted === sites) return replay();
      showMap(painted);
      show(order[painted - 1]);
      state.replay = requestAnimationFrame(step);
    };
    state.replay = requestAnimationFrame(step);
  }

  /** The chart of a sub-pixel, with its words. @param {number} site @param {number} channel */
  function showChannel(site, channel) {
    const d = distributionAt(site, channel), observed = arrays.x[channel * sites + site], at = channel * sites + site;
    charts[channel].update({ probs: d.probs, observed, sampling_probs: null, quantiles: d.quantiles, components: null, chosen: null });
    const bits = c > 1 && html("span", {}, `${formatFixed(arrays.surprisal[at])} of ${formatFixed(arrays.entropy[at])} bits expected`);
    const title = page.names[channel] && html("h4", {}, page.names[channel] + (channel ? ", given the channels before" : ""), bits);
    const [low, high] = [d.quantiles?.["0.25"], d.quantiles?.["0.75"]];
    const half = low === high ? `level ${low} holds half of the probability or more` : `half of the probability lies from ${low} to ${high}`;
    const mean = d.mean === null ? "" : `Mean ${formatFixed(d.mean, 1)}; ${half} (thick line above the bars, with the median; thin line: 90 %)`;
    const rest = d.stored === null ? "" : `The ${d.stored.length} most probable levels; all others ${formatPercent(d.rest)}`;
    const words = html("p", { className: "mean" }, "Level ", patch(page.image, channel, observed), `${observed} is there. ${[mean, rest].filter(Boolean).join(". ")}`);
    return html("div", {}, title || null, charts[channel].el, topList(d, observed, page.image, channel), words);
  }

  /** @param {number} site */
  function pin(site) {
    state.pinned = site;
    show(site);
    history.replaceState(null, "", `#${Math.floor(site / w)},${site % w}`);
  }

  for (const id of ["map", "gradient"]) {
    const canvas = part(id);
    if (!canvas) continue;
    const at = (/** @type {PointerEvent | MouseEvent} */ event) => {
      const box = canvas.getBoundingClientRect();
      const column = Math.min(w - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * w)));
      return Math.min(h - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * h))) * w + column;
    };
    canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => { if (event.pointerType === "mouse") show(at(event)); });
    canvas.addEventListener("pointerleave", () => show(state.pinned));
    canvas.addEventListener("click", (/** @type {MouseEvent} */ event) => pin(at(event)));
  }
  part("map").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -w, ArrowDown: w }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = state.pinned + step;
    if (next >= 0 && next < sites) pin(next);
  });
  for (const tab of document.querySelectorAll("[data-view]"))
    tab.addEventListener("click", () => { state.view = tab.getAttribute("data-view") || "image"; bar?.pin(null); showMap(); });
  part("replay").addEventListener("click", replay);
  const address = /^#(\d+),(\d+)$/.exec(location.hash);
  if (address && +address[1] < h && +address[2] < w) state.pinned = +address[1] * w + +address[2];
  window.addEventListener("hashchange", () => { // a link of the page to a pixel
    const stop = /^#(\d+),(\d+)$/.exec(location.hash);
    if (!stop || +stop[1] >= h || +stop[2] >= w) return;
    state.pinned = +stop[1] * w + +stop[2];
    show(state.pinned);
    part("map").scrollIntoView({ block: "center" });
  });
  document.documentElement.classList.add("live");
  showMap();
  show(state.pinned);
}

/** The pixels of a picture, RGBA. @param {string} source @param {number} h @param {number} w @returns {Promise<number[]>} */
async function pixelsOf(source, h, w) {
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = w;
  canvas.height = h;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.drawImage(image, 0, 0);
  return Array.from(context.getImageData(0, 0, w, h).data);
}

start().catch((error) => { part("where").textContent = `This browser cannot decode the page: ${error.message}`; });

/** A patch in the colour of a level. @param {Api.ImageKind} image @param {number} channel @param {number} level */
function patch(image, channel, level) {
  const element = html("i");
  element.style.background = css(swatch(image, channel, level));
  return element;
}

/**
 * List the five most probable levels.
 * @param {import("./decode.js").Distribution} d @param {number} observed @param {Api.ImageKind} image @param {number} channel
 */
function topList(d, observed, image, channel) {
  const levels = Array.from(d.probs, (p, level) => ({ p, level })).sort((a, b) => b.p - a.p).slice(0, 5);
  const items = levels.map(({ p, level }) =>
    html("li", { className: level === observed ? "seen" : "" }, patch(image, channel, level), levelName(image, level), html("b", {}, formatPercent(p))));
  return html("ol", { className: "top" }, ...items);
}
