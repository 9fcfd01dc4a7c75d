// Inside the network: the receptive field of the pixel that is shown, and of a held one the layers and the activations.

import { balance, gradient, heat } from "../shared/colour.js";
import { isComplete, visibleImage } from "../canvas/canvas_model.js";
import { decodeArray } from "../transport/encoded_arrays.js";
import { fill } from "../shared/fill.js";
import { formatBits, formatFixed, formatInteger, html, setText, svg, updateChildren } from "../shared/dom.js";

const HERE = [217, 72, 28], SEEN = [107, 164, 214], BLIND = [40, 37, 48], LATER = [128, 124, 134];
const WIDTH = 320, LEFT = 62, RIGHT = 268, ROW = 17, TOP = 4;

export class InsidePanel {
  /** @param {State} state @param {import("../transport/queries.js").Queries} queries */
  constructor(state, queries) {
    this.state = state;
    this.queries = queries;
    this.fieldMap = html("canvas", { className: "saliency-map" });
    this.fieldText = html("p", {});
    this.field = html("div", { className: "saliency bare" }, this.fieldMap, html("div", {}, html("h3", {}, "Receptive field"), this.fieldText));
    this.layersText = html("p", { className: "note" });
    this.layers = html("div", {});
    this.layerMap = html("canvas", { className: "saliency-map" });
    this.layer = html("select", { "aria-label": "Layer", onchange: () => state.changed() });
    this.layerNote = html("p", {});
    this.layerBox = html("div", { className: "saliency bare" }, this.layerMap, html("div", {}, this.layer, this.layerNote));
    this.activation = html("select", { "aria-label": "Activation", onchange: () => state.changed() });
    this.activationMap = html("canvas", { className: "saliency-map" });
    this.activationNote = html("p", {});
    this.activationBox = html("div", { className: "saliency bare" }, this.activationMap, html("div", {}, this.activation, this.activationNote));
    this.byLayer = html("div", { className: "inside-held" }, html("h3", {}, "Layer by layer"), this.layersText, this.layers, this.layerBox);
    this.held = html("div", { className: "inside-held" }, this.byLayer, html("h3", {}, "Activations"), this.activationBox);
    this.click = html("p", { className: "note" }, "Click the pixel to see the layers and activations too.");
    this.el = html("details", { className: "inside", ontoggle: () => state.changed() }, html("summary", {}, "Look inside the network"), this.field, this.held, this.click);
  }

  /** @param {PixelInfo | null} info */
  update(info) {
    if (!this.el.open) return;
    const pointed = info !== null && info.source !== "latest";
    this.field.hidden = !pointed;
    this.held.hidden = true;
    this.click.hidden = pointed;
    setText(this.click, "Point at a pixel.");
    if (!info || !pointed) return;
    const { canvas, pixel } = info;
    this.#field(canvas, pixel);
    const isHeld = info.source === "held";
    const complete = isComplete(visibleImage(canvas));
    this.held.hidden = !isHeld || !complete;
    this.click.hidden = isHeld && complete;
    setText(this.click, complete ? "Click the pixel to see the layers and activations too." : "The layers and activations need a whole image: this one has a hole.");
    if (this.held.hidden) return;
    this.#layers(canvas, pixel);
    this.#activation(canvas, pixel);
  }

  /** @param {Canvas} canvas @param {number} pixel */
  #field(canvas, pixel) {
    const field = this.queries.field(canvas, pixel);
    if (field instanceof Error) return setText(this.fieldText, field.message);
    if (!field) return setText(this.fieldText, "Being measured\u2026");
    const reach = decodeArray(field.reach);
    draw(this.fieldMap, canvas, (at) => (at === pixel ? HERE : [LATER, BLIND, SEEN][reach[at]]));
    const blind = field.earlier - field.seen;
    setText(this.fieldText, `The distribution of this pixel can depend on ${formatInteger(field.seen)} of the ${formatInteger(field.earlier)} pixels before it (blue)${blind ? `, and is blind to ${formatInteger(blind)} of them` : ""}. Measured at random weights, for any image.`);
  }

  /** @param {Canvas} canvas @param {number} pixel */
  #layers(canvas, pixel) {
    const found = this.queries.layers(canvas);
    const readings = found instanceof Error ? null : found;
    this.byLayer.hidden = readings?.names.length === 0; // the head of the network cannot read its inner layers
    this.layers.hidden = this.layerBox.hidden = !readings;
    setText(this.layersText, found instanceof Error ? found.message : found ? "Surprise of this pixel in bits, if the network ended after each layer (logit lens)." : "\u2026");
    if (!readings || this.byLayer.hidden) return;
    const size = canvas.known.length;
    const values = decodeArray(readings.surprisal);
    const bits = readings.names.map((_, depth) => values[depth * size + pixel]);
    updateChildren(this.layers, JSON.stringify([readings.names, bits]), () => [bars(readings.names, bits)]);
    updateChildren(this.layer, readings.names.join(), () => readings.names.slice(1).map((name, i) => html("option", { value: String(i + 1) }, name)));
    const depth = Number(this.layer.value) || 1;
    const top = canvas.details.bits_top * canvas.details.image.channels;
    const change = (/** @type {number} */ at) => values[depth * size + at] - values[(depth - 1) * size + at];
    draw(this.layerMap, canvas, (at) => balance(change(at) / top));
    let total = 0;
    for (let at = 0; at < size; at++) total += change(at);
    const word = total > 0 ? "costs" : "saves";
    updateChildren(this.layerNote, JSON.stringify([depth, total, top]), () => [`It ${word} ${formatBits(Math.abs(total))} in the whole image. Blue: saves bits; red: costs bits.`, scale(`\u2212${formatFixed(top, 0)}`, `+${formatFixed(top, 0)} bits`, true)]);
  }

  /** @param {Canvas} canvas @param {number} pixel */
  #activation(canvas, pixel) {
    const found = this.queries.activation(canvas, this.activation.value || null);
    if (found instanceof Error) return setText(this.activationNote, found.message);
    if (!found) return;
    const size = decodeArray(found.size);
    updateChildren(this.activation, found.names.join(), () => found.names.map((name) => html("option", { value: name, selected: name === found.name }, name.replace(".hook_out", "").replace("hook_", "").replaceAll(".", " "))));
    draw(this.activationMap, canvas, (at) => heat(size[at] / (found.top || 1)));
    updateChildren(this.activationNote, JSON.stringify([found.name, pixel, size[pixel]]), () => [`Root mean square of its ${formatInteger(found.features)} features at each pixel; ${formatFixed(size[pixel], 3)} at this one.`, scale("0", formatFixed(found.top, 2), false)]);
  }
}

/** @param {HTMLCanvasElement} map @param {Canvas} canvas @param {(pixel: number) => number[]} colour */
function draw(map, canvas, colour) {
  map.style.aspectRatio = `${canvas.width} / ${canvas.height}`;
  fill(map, canvas.height, canvas.width, (row, column) => colour(row * canvas.width + column));
}

/** Make the scale of a map. @param {string} low @param {string} high @param {boolean} signed */
function scale(low, high, signed) {
  const ramp = html("i", { className: "ramp" });
  ramp.style.background = gradient(signed);
  return html("span", { className: "ends" }, html("b", {}, low), ramp, html("b", {}, high));
}

/** Draw a bar of bits for each depth. @param {string[]} names @param {number[]} bits */
function bars(names, bits) {
  const top = Math.max(...bits, 1e-9);
  const rows = names.map((name, i) => {
    const y = TOP + ROW * i;
    const width = Math.max(0.6, ((RIGHT - LEFT) * bits[i]) / top);
    return svg("g", {}, svg("text", { x: LEFT - 6, y: y + 11, "text-anchor": "end" }, name), svg("rect", { x: LEFT, y: y + 2, width: width.toFixed(1), height: ROW - 5, class: i === names.length - 1 ? "bar observed" : "bar" }), svg("text", { x: (LEFT + width + 5).toFixed(1), y: y + 11 }, formatFixed(bits[i])));
  });
  const label = names.map((name, i) => `${name} ${formatFixed(bits[i])}`).join(", ");
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${TOP + ROW * names.length + 4}`, class: "chart still", role: "img", "aria-label": `Bits of this pixel after each layer: ${label}` }, ...rows);
}
