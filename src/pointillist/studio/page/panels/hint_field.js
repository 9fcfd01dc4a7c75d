// The field of a hint that is a picture: draw it, or take it from a file.

import { decodeLevels } from "../transport/encoded_arrays.js";
import { html } from "../shared/dom.js";
import { drawHint } from "../drawing/hint_pad.js";

/** @typedef {import("../state/state.js").State} State */

/** @param {State} state @param {Api.ModelDetails} details @param {Api.HintKind} hint @param {import("../transport/upload.js").Uploader} uploader @param {() => void} paint paints the changed hint */
export function hintField(state, details, hint, uploader, paint) {
  const { request } = state;
  const button = (/** @type {string} */ name, /** @type {string} */ title, /** @type {() => void} */ act) => html("button", { type: "button", title, onclick: act }, name);
  const choose = button("Picture", hint.derive ? `A picture, or a drawing of its ${hint.derive}, which becomes the hint` : "A picture that becomes the hint", () => uploader.choose("hint"));
  const none = request.hint && button("None", "Paint without a hint", () => state.setHint(null));
  const live = html("input", { type: "checkbox", checked: state.paintWhileDrawing, onchange: () => { state.paintWhileDrawing = live.checked; state.changed(); } });
  const examples = details.generation.hints.map(({ name, levels }) => {
    const picture = html("canvas", {});
    if (hint.image) drawHint(picture, { ...hint.image, height: levels.shape[1], width: levels.shape[2] }, decodeLevels(levels));
    return html("button", { type: "button", title: `Paint into the ${hint.derive ?? "hint"} “${name}”`, "aria-label": `Example: ${name}`, onclick: () => { state.setHint({ levels, name }); paint(); } }, picture);
  });
  const title = hint.derive ? `Hint (${hint.derive})` : "Hint";
  return html("fieldset", { className: "hint-field" }, html("legend", {}, title),
    examples.length > 0 && html("div", { className: "hint-examples", role: "group", "aria-label": "Example hints" }, ...examples),
    html("p", { className: "note" }, request.hint && request.hint.name !== "drawn" ? request.hint.name : "Draw it beside the canvas, with any drawing tool."),
    html("div", { className: "row" }, choose, none),
    html("label", { className: "check", title: "Each stroke paints the image again, and the next one cancels it" }, live, "Paint while I draw"));
}
