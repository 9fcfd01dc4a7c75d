// A picture for models that score and compress: its bits as a map, its size as a file, a hole to fill.

import { erase } from "../drawing/selecting.js";
import { isDeep } from "../shared/colour.js";
import { button, formatInteger, html, setText } from "../shared/dom.js";

const HOLE = 0.14; // of the width and of the height of a picture: the models of photographs know near pixels, so small holes suit them

export class ExamplePictures {
  /** @param {State} state @param {Commands} commands @param {Api.NamedPicture[]} pictures */
  constructor(state, commands, pictures) {
    this.state = state;
    this.commands = commands;
    const open = pictures.map((picture) => button(pictures.length > 1 ? picture.name : "Show it", `Put it on the canvas, with its bits: ${picture.name}`, () => void commands.showPicture(picture)));
    this.sizes = html("p", { className: "note sizes-of-file", role: "status" });
    this.map = button("Map of its bits", "Bits that each pixel takes (3)", () => commands.view("surprisal"));
    this.fill = button("Erase a part and fill it", "The middle is erased; the model draws several ways to complete it", () => this.#fill());
    this.el = html("fieldset", { className: "hint-field" }, html("legend", {}, state.details && isDeep(state.details.image) ? "A scan" : pictures.length > 1 ? "Photographs" : "A photograph"), this.sizes, html("div", { className: "row" }, ...open, this.map, this.fill));
  }

  update() {
    const { canvas, work } = this.state, picture = canvas?.trace && this.commands.examples.get(canvas.trace);
    this.map.disabled = !canvas?.trace;
    this.fill.disabled = !canvas?.trace || work !== null;
    if (!picture || !canvas?.trace) return setText(this.sizes, "This model scores, fills and compresses pictures: drop one on the canvas, or begin with this.");
    const bits = canvas.trace.surprisal.reduce((sum, one) => sum + one, 0), others = Object.entries(picture.sizes).map(([name, bytes]) => `${name} ${formatInteger(bytes)}`);
    setText(this.sizes, `${picture.name}. Without loss it takes ${formatInteger(Math.ceil(bits / 8))} bytes by this model; ${others.join(", ")}.`);
  }

  /** Erase the middle of the picture, and fill it. */
  #fill() {
    const { state } = this, { canvas } = state;
    if (!canvas) return;
    const inside = (/** @type {number} */ at, /** @type {number} */ size) => Math.abs((at + 0.5) / size - 0.5) < HOLE / 2;
    const hole = Uint8Array.from(canvas.known, (_, pixel) => Number(inside(Math.floor(pixel / canvas.width), canvas.height) && inside(pixel % canvas.width, canvas.width)));
    state.view = "image";
    state.replace(erase(canvas, hole));
    this.commands.complete();
  }
}
