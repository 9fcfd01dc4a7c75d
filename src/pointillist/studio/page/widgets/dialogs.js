// Modal dialogs: resizing a picture, and the list of keys.

import { levelName, swatch } from "../shared/colour.js";
import { html } from "../shared/dom.js";
import { KEYS } from "./keys.js";
import { showColour } from "../canvas/tiles.js";

/** @type {Record<string, [string, string]>} */
const METHODS = { area: ["smooth", "averages all pixels within a pixel"], nearest: ["nearest", "takes the middle pixel"] };
const FITS = { crop: ["crop", "keeps the middle"], pad: ["pad", "keeps all of it, with an empty border"], stretch: ["stretch", "keeps all of it, distorted"] };

export class Dialogs {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
  }

  /**
   * Ask how to resize a picture; return null if the user cancels.
   * @param {File} file @param {Api.ErrorResponse} error @param {boolean} canKeepSize whether the model supports the picture's size
   * @returns {Promise<Record<string, string> | null>}
   */
  async offerSize(file, error, canKeepSize) {
    const [height, width] = error.size ?? [0, 0];
    const [modelHeight, modelWidth] = error.expected_size ?? [0, 0];
    const methods = (error.resize ?? []).slice().sort();
    const url = URL.createObjectURL(file);
    const preview = html("img", { src: url, alt: "The picture", onerror: () => preview.remove() }); // browsers show no TIFF
    const form = html("form", { method: "dialog" },
      html("h2", {}, "The picture has another size"),
      html("div", { className: "sizes" }, preview,
        html("p", {}, `It is ${width} × ${height} pixels; the model paints ${modelWidth} × ${modelHeight}.`)),
      choice("resize", "Resize", methods.map((method) => [method, ...METHODS[method]])),
      height * modelWidth !== width * modelHeight && choice("fit", "Aspect ratio", Object.entries(FITS).map(([method, words]) => [method, ...words])), answers("resize", "Resize", canKeepSize && html("button", { value: "keep" }, "Keep its size"), "resize"));
    const answer = await this.#open(form);
    URL.revokeObjectURL(url);
    if (answer === "keep") return { height: String(height), width: String(width) };
    if (answer !== "resize") return null;
    const data = new FormData(form);
    return Object.fromEntries([...data].map(([name, value]) => [name, String(value)]));
  }

  /**
   * Ask by how much to extend a canvas; return null if the user cancels.
   * @param {{height: number, width: number}} canvas
   * @returns {Promise<number[] | null>} pixels at the top, right, bottom, left
   */
  async askSides({ height, width }) {
    const side = (/** @type {string} */ name, /** @type {string} */ label) => html("label", { className: "stacked" }, label, html("input", { type: "number", name, min: "0", max: "1024", step: "1", value: "0", required: true }));
    const form = html("form", { method: "dialog" }, html("h2", {}, "Extend the canvas"), html("p", {}, `It is ${width} × ${height} pixels. What is added is a hole, for you to draw in or for the model to fill.`),
      html("div", { className: "four" }, side("top", "Top"), side("right", "Right"), side("bottom", "Bottom"), side("left", "Left")), answers("extend", "Extend"));
    if ((await this.#open(form)) !== "extend") return null;
    const data = new FormData(form);
    const sides = ["top", "right", "bottom", "left"].map((name) => Number(data.get(name)));
    return sides.some((pixels) => pixels > 0) ? sides : null;
  }

  /** Ask for levels of a kind of image; return null if the user cancels or chooses none. @param {Api.ImageKind} image @returns {Promise<number[] | null>} */
  async askLevels(image) {
    const boxes = Array.from({ length: image.levels }, (_, level) => {
      const shade = html("i", { className: "shade" });
      showColour(shade, image, [level], swatch(image, 0, level));
      return html("label", { className: "check" }, html("input", { type: "checkbox", name: "level", value: String(level) }), shade, levelName(image, level));
    });
    const form = html("form", { method: "dialog" }, html("h2", {}, "Levels allowed in the selection"), html("div", { className: "levels" }, ...boxes), answers("allow", "Allow only these"));
    if ((await this.#open(form)) !== "allow") return null;
    const levels = new FormData(form).getAll("level").map(Number);
    return levels.length ? levels : null;
  }

  /** Ask for a name; return null if the user cancels. @param {string} before @returns {Promise<string | null>} */
  async askName(before) {
    const input = html("input", { type: "text", value: before, maxLength: 100, required: true, "aria-label": "Name", autofocus: true, onfocus: () => input.select() });
    const form = html("form", { method: "dialog" }, html("h2", {}, "Name the image"), input, answers("name", "Name"));
    return (await this.#open(form)) === "name" ? input.value.trim() || null : null;
  }

  /** Ask before something is thrown away; return true if it may be. @param {string} question @param {string} action the name of the button */
  async confirm(question, action) {
    const form = html("form", { method: "dialog" }, html("h2", {}, question), answers("yes", action, false, ""));
    return (await this.#open(form)) === "yes";
  }

  /** Show the list of keys, and a switch for those without Ctrl. @param {State} state */
  showKeys(state) {
    const box = html("input", { type: "checkbox", checked: state.singleKeys, onchange: () => { state.singleKeys = box.checked; state.changed(); } });
    const rows = KEYS.map(([keys, what]) => html("div", {}, html("dt", {}, ...keys.split(" ").map((key) => html("kbd", {}, key))), html("dd", {}, what)));
    return this.#open(html("form", { method: "dialog", className: "keys" }, html("h2", {}, "Keys"), html("label", { className: "check" }, box, "Letters and digits alone are shortcuts"), html("dl", {}, ...rows), html("div", { className: "row" }, html("button", { className: "strong", autofocus: true }, "Close"))));
  }

  /** @param {HTMLFormElement} form @returns {Promise<string>} the value of the button */
  #open(form) {
    const title = form.querySelector("h2")?.textContent ?? "";
    const dialog = html("dialog", { "aria-label": title }, form);
    this.root.append(dialog);
    dialog.showModal();
    return new Promise((resolve) =>
      dialog.addEventListener("close", () => {
        dialog.remove();
        resolve(dialog.returnValue);
      }));
  }
}

/** @param {string} name @param {string} legend @param {string[][]} options value, name, meaning */
function choice(name, legend, options) {
  const rows = options.map(([value, label, meaning], i) =>
    html("label", { className: "option" }, html("input", { type: "radio", name, value, checked: i === 0 }), html("span", {}, html("b", {}, label), ` ${meaning}`)));
  return html("fieldset", {}, html("legend", {}, legend), ...rows);
}

/** Make the row of buttons of a dialog. @param {string} value @param {string} action its name @param {HTMLElement | false} [other] @param {string} [focused] value of the button that has the focus, "" of Cancel */
function answers(value, action, other = false, focused) {
  return html("div", { className: "row" }, html("button", { className: "strong", value, autofocus: focused === value }, action), other, html("button", { value: "", formNoValidate: true, autofocus: focused === "" }, "Cancel"));
}
