// The field of a hint that is a picture: draw it, or take it from a file.

import { decodeLevels, encodeArray } from "../transport/encoded_arrays.js";
import { html } from "../shared/dom.js";
import { drawHint, drawableHint } from "../drawing/hint_pad.js";

/** @typedef {import("../state/state.js").State} State */

/** @param {State} state @param {Api.ModelDetails} details @param {Api.HintKind} hint @param {import("../transport/upload.js").Uploader} uploader @param {() => void} paint paints the changed hint */
export function hintField(state, details, hint, uploader, paint) {
  const { request } = state;
  const button = (/** @type {string} */ name, /** @type {string} */ title, /** @type {() => void} */ act) => html("button", { type: "button", title, onclick: act }, name);
  const take = (/** @type {State["request"]["hint"]} */ next) => {
    state.setHint(next);
    if (next && state.paintWhileDrawing) paint();
  };
  const choose = button("Picture", hint.derive ? `A picture, or a drawing of its ${hint.derive}, which becomes the hint` : "A picture that becomes the hint", () => uploader.choose("hint"));
  const kind = drawableHint(state.details);
  const invert = kind?.levels === 2 && request.hint && button("Invert", "Swap lines and ground", () => take(inverted(request.hint)));
  const none = request.hint && button("None", "Paint without a hint", () => take(null));
  const check = (/** @type {string} */ name, /** @type {string} */ title, /** @type {"paintWhileDrawing" | "inkOnPaper"} */ key) => {
    const box = html("input", { type: "checkbox", checked: state[key], onchange: () => { state[key] = box.checked; state.changed(); } });
    return html("label", { className: "check", title }, box, name);
  };
  const examples = details.generation.hints.map(({ name, levels }) => {
    const picture = html("canvas", {});
    if (hint.image) drawHint(picture, { ...hint.image, height: levels.shape[1], width: levels.shape[2] }, decodeLevels(levels), state.inkOnPaper);
    return html("button", { type: "button", title: `Paint into the ${hint.derive ?? "hint"} “${name}”`, "aria-label": `Example: ${name}`, onclick: () => { state.setHint({ levels, name }); paint(); } }, picture);
  });
  const title = hint.derive ? `Hint (${hint.derive})` : "Hint";
  return html("fieldset", { className: "hint-field" }, html("legend", {}, title),
    examples.length > 0 && html("div", { className: "hint-examples", role: "group", "aria-label": "Example hints" }, ...examples),
    html("p", { className: "note" }, request.hint && request.hint.name !== "drawn" ? request.hint.name : "Draw it beside the canvas, with any drawing tool."),
    html("div", { className: "row" }, choose, invert, none),
    check("Paint while I draw", "Each stroke paints the image again, and the next one cancels it", "paintWhileDrawing"),
    kind?.levels === 2 && check("Show black on white", "Only how the hint is shown: the lines are the same", "inkOnPaper"));
}

/** @param {State["request"]["hint"]} hint */
function inverted(hint) {
  return hint && { ...hint, levels: encodeArray(decodeLevels(hint.levels).map((level) => 1 - level), hint.levels.shape) };
}
