// Questions to the user that wait for an answer, and the list of keys.

import { h } from "./dom.js";
import { KEYS } from "./keys.js";

/** @type {Record<string, [string, string]>} */
const WAYS = { area: ["smooth", "averages what falls into a pixel"], nearest: ["nearest", "takes the pixel in the middle"] };
const FITS = { crop: ["cut", "the middle is kept"], pad: ["pad", "all of it, with an empty edge"], stretch: ["stretch", "all of it, out of shape"] };

export class Dialogs {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
  }

  /**
   * A picture of another size: how it is to be read, or null.
   * @param {File} file @param {Api.Fault} fault @param {boolean} asItIs whether the model takes its own size
   * @returns {Promise<Record<string, string> | null>}
   */
  async offerSize(file, fault, asItIs) {
    const [height, width] = fault.size ?? [0, 0];
    const [wantedHeight, wantedWidth] = fault.wanted ?? [0, 0];
    const ways = (fault.resize ?? []).slice().sort();
    const url = URL.createObjectURL(file);
    const form = h("form", { method: "dialog" },
      h("h2", {}, "The picture has another size"),
      h("div", { className: "sizes" }, h("img", { src: url, alt: "The picture" }),
        h("p", {}, `It is ${width} × ${height} pixels; the model paints ${wantedWidth} × ${wantedHeight}.`)),
      choice("resize", "Resize", ways.map((way) => [way, ...WAYS[way]])),
      height * wantedWidth !== width * wantedHeight && choice("fit", "Another shape", Object.entries(FITS).map(([way, words]) => [way, ...words])),
      h("div", { className: "row" }, h("button", { className: "strong", value: "resize", autofocus: true }, "Resize"), asItIs && h("button", { value: "keep" }, "Keep its size"), h("button", { value: "", formNoValidate: true }, "Cancel")));
    const answer = await this.#open(form);
    URL.revokeObjectURL(url);
    if (answer === "keep") return { height: String(height), width: String(width) };
    if (answer !== "resize") return null;
    const data = new FormData(form);
    return Object.fromEntries([...data].map(([name, value]) => [name, String(value)]));
  }

  /** The keys, on one sheet. */
  showKeys() {
    const rows = KEYS.map(([keys, what]) => h("div", {}, h("dt", {}, ...keys.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, what)));
    return this.#open(h("form", { method: "dialog", className: "keys" }, h("h2", {}, "Keys"), h("dl", {}, ...rows), h("div", { className: "row" }, h("button", { className: "strong", autofocus: true }, "Close"))));
  }

  /** @param {HTMLFormElement} form @returns {Promise<string>} the value of the button */
  #open(form) {
    const title = form.querySelector("h2")?.textContent ?? "";
    const dialog = h("dialog", { "aria-label": title }, form);
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
    h("label", { className: "option" }, h("input", { type: "radio", name, value, checked: i === 0 }), h("span", {}, h("b", {}, label), ` ${meaning}`)));
  return h("fieldset", {}, h("legend", {}, legend), ...rows);
}
