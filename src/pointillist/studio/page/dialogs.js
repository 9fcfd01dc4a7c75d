// Modal dialogs: resizing a picture, and the list of keys.

import { html } from "./dom.js";
import { KEYS } from "./keys.js";

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
    const form = html("form", { method: "dialog" },
      html("h2", {}, "The picture has another size"),
      html("div", { className: "sizes" }, html("img", { src: url, alt: "The picture" }),
        html("p", {}, `It is ${width} × ${height} pixels; the model paints ${modelWidth} × ${modelHeight}.`)),
      choice("resize", "Resize", methods.map((method) => [method, ...METHODS[method]])),
      height * modelWidth !== width * modelHeight && choice("fit", "Aspect ratio", Object.entries(FITS).map(([method, words]) => [method, ...words])),
      html("div", { className: "row" }, html("button", { className: "strong", value: "resize", autofocus: true }, "Resize"), canKeepSize && html("button", { value: "keep" }, "Keep its size"), html("button", { value: "", formNoValidate: true }, "Cancel")));
    const answer = await this.#open(form);
    URL.revokeObjectURL(url);
    if (answer === "keep") return { height: String(height), width: String(width) };
    if (answer !== "resize") return null;
    const data = new FormData(form);
    return Object.fromEntries([...data].map(([name, value]) => [name, String(value)]));
  }

  /** Show the list of keys. */
  showKeys() {
    const rows = KEYS.map(([keys, what]) => html("div", {}, html("dt", {}, ...keys.split(" ").map((key) => html("kbd", {}, key))), html("dd", {}, what)));
    return this.#open(html("form", { method: "dialog", className: "keys" }, html("h2", {}, "Keys"), html("dl", {}, ...rows), html("div", { className: "row" }, html("button", { className: "strong", autofocus: true }, "Close"))));
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
