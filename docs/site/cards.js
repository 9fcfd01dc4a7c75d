// The cards of the front page paint while the pointer or the focus is on one: its model is loaded then, not before, so that the page
// stays light. A card leads to what it shows. On touch screens, and where a model cannot paint, cards keep their pictures.
"use strict";

/** @typedef {{model: string, count: number, asks: object[], steps?: (model: any, request: any) => Iterable<any>, bits?: boolean, flies?: boolean}} Show `bits`: also what each pixel costs */

const DWELL = 150; // milliseconds on a card before its model is loaded
const CARD_SECONDS = 2.5; // that the pictures of a card take to paint
const PAUSE = 1800; // milliseconds before the next pictures
const DEAREST = 4; // bits that are drawn in full orange
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/** Outline of a cat, 32 bits a row. */
const CAT = "0 0 0 0 0 10200000 28500000 27900000 20100000 40080000 40080000 40040000 40040000 40020000 20018000 20004000 20002000 20001000 20001000 20000800 200008e0 10000518 10000204 20000002 20000002 20000002 18000002 6000004 1c00018 3fc0e0 3f00 0"
  .split(" ").flatMap((row) => [...parseInt(row, 16).toString(2).padStart(32, "0")].map(Number));

/** Erase the lower part of a picture, and paint it again. */
function* completed(model, request) {
  const { levels } = model.paint(request), kept = 14 * model.width;
  yield* model.steps({ ...request, index: request.index + 100, known: Array.from(levels, (level, at) => (at < kept ? level : null)) });
}

/** @type {Record<string, Show>} by the first word that a card's link ends with */
const SHOWS = {
  sentence: { model: "scenes", count: 4, asks: ["a cat sitting on a red sofa", "two birds on a blue car", "a fox under a tree at night", "a dog next to a yellow house in the snow"].map((text) => ({ text })) },
  word: { model: "icons", count: 2, asks: ["heart", "house", "cat", "star"].map((text) => ({ text, label: "tabler" })) },
  map: { model: "dungeons", count: 1, asks: [{}], flies: true },
  outline: { model: "outline-to-tile", count: 2, asks: [{ hint: CAT }] },
  fill: { model: "digits", count: 2, asks: ["3", "8", "5"].map((label) => ({ label })), steps: completed },
  game: { model: "digits", count: 1, asks: ["2", "7", "4"].map((label) => ({ label })), bits: true },
  bits: { model: "icons", count: 1, asks: [{ text: "heart", label: "tabler", seed: 3 }], bits: true },
};

/** @type {Map<string, Promise<any>>} */
const models = new Map();
/** The stay on a card that paints. Another one ends it, also on another card: they may share a model, which paints one picture at a time. */
let stay = {};

/** Load a model, once; a script, as a page that was opened from disk may load no modules. @param {string} name */
function load(name) {
  const loading = models.get(name) ?? new Promise((done, failed) => {
    const script = Object.assign(document.createElement("script"), { src: `live/${name}.js`, onload: () => done(globalThis.openModel()), onerror: failed });
    document.head.append(script);
  });
  models.set(name, loading);
  return loading;
}

/** Wait for the next frame, or for some time. @param {number} [milliseconds] */
const wait = (milliseconds) => new Promise((done) => (milliseconds ? setTimeout(done, milliseconds) : requestAnimationFrame(done)));

/** Fill a pixel. @param {CanvasRenderingContext2D} brush @param {ArrayLike<number>} rgba @param {number} x @param {number} y */
function dot(brush, [red, green, blue, alpha], x, y) {
  brush.clearRect(x, y, 1, 1);
  brush.fillStyle = `rgb(${red} ${green} ${blue} / ${alpha / 255})`;
  brush.fillRect(x, y, 1, 1);
}

/** Paint pictures next to each other until `over`. @param {any} model @param {HTMLCanvasElement} canvas @param {Show} show @param {object} ask @param {number} seed @param {() => boolean} over */
async function paintCard(model, canvas, { count, bits = false, steps = (one, request) => one.steps(request) }, ask, seed, over) {
  const { width, height } = model, each = Math.ceil((count * width * height) / (60 * CARD_SECONDS)), gap = 2;
  Object.assign(canvas, { width: (width + gap) * (count + Number(bits)) - gap, height });
  const brush = canvas.getContext("2d");
  for (let index = 0; index < count; index++) {
    let painted = 0;
    for (const { at, level, probabilities } of steps(model, { seed, index, ...ask })) {
      const [x, y] = [at % width, Math.floor(at / width)];
      dot(brush, model.rgba([level]), (width + gap) * index + x, y);
      const share = bits && probabilities ? Math.min(1, -Math.log2(probabilities[level]) / DEAREST) : 0;
      if (bits) dot(brush, [255 - 38 * share, 255 - 183 * share, 255 - 227 * share, 255], width + gap + x, y);
      if (!probabilities || STILL.matches || ++painted % each) continue;
      await wait();
      if (over()) return;
    }
  }
}

/** Fly over an endless map until `over`. @param {any} model @param {HTMLCanvasElement} canvas @param {() => boolean} over */
async function fly(model, canvas, over) {
  const world = model.world(7), [height, width] = [32, 64];
  Object.assign(canvas, { width, height });
  const brush = canvas.getContext("2d");
  for (let column = 0; !over(); column++) {
    brush.putImageData(new ImageData(model.rgba(world.tiles(0, column, height, width)), width), 0, 0);
    if (STILL.matches) return;
    await wait(60);
  }
}

/** Let a card paint. @param {HTMLAnchorElement} card */
function enliven(card) {
  const show = SHOWS[card.dataset.show], picture = card.querySelector("img"), home = card.href;
  let mine = {}, seed = 1; // the last stay on this card
  const begin = async () => {
    const current = (mine = stay = {}), over = () => stay !== current;
    await wait(DWELL);
    if (over()) return;
    const model = await load(show.model);
    if (over()) return;
    const canvas = Object.assign(document.createElement("canvas"), { role: "img", ariaLabel: picture.alt || "Pictures that the model paints" });
    card.querySelector("canvas")?.remove();
    picture.before(canvas);
    picture.hidden = true;
    if (show.flies) return fly(model, canvas, over);
    for (; !over(); seed++) {
      const ask = show.asks[(seed - 1) % show.asks.length];
      if (!show.steps && !show.bits && !("hint" in ask)) card.href = `${home}#${new URLSearchParams({ ...ask, seed: String(seed), n: String(show.count) })}`;
      await paintCard(model, canvas, show, ask, seed, over);
      canvas.dataset.seed = String(seed);
      if (STILL.matches) return;
      await wait(PAUSE);
    }
  };
  const end = () => {
    if (stay === mine) stay = {};
    card.href = home;
    card.querySelector("canvas")?.remove();
    picture.hidden = false;
  };
  const start = () => begin().catch(end);
  card.addEventListener("pointerenter", (event) => event.pointerType !== "touch" && start());
  card.addEventListener("pointerleave", end);
  card.addEventListener("focus", () => card.matches(":focus-visible") && start());
  card.addEventListener("blur", end);
}

for (const card of document.querySelectorAll(".cards a")) enliven(card);
