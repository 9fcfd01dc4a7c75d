// Form fields for the conditions that a model supports.

import { drawHint } from "../drawing/hint_pad.js";
import { button, html, setText } from "../shared/dom.js";
import { rulesOf, switchesOf, switchesOfRules } from "../state/map_rules.js";
import { SentenceBuilder } from "./sentence_builder.js";
import { decodeArray } from "../transport/encoded_arrays.js";
import { hintOf, isOfNumbers, numbersIn, shapeOf } from "../transport/numeric_hints.js";

const CHIPS = 12; // more classes than that become a list

/**
 * @param {State} state @param {Api.ModelDetails} details @param {import("../transport/upload.js").Uploader} uploader @param {import("../transport/painter.js").Painter} painter @param {() => void} paint @param {HTMLElement} reading shows how the prompt is read
 * @returns {HTMLElement[]}
 */
export function conditionFields(state, details, uploader, painter, paint, reading) {
  const { conditions } = details;
  const { request } = state;
  const fields = [];
  const { labels } = details.generation;
  const repaint = () => void painter.paint({ seed: request.seed ?? state.canvas?.rng?.seed ?? null });
  if (conditions.text) fields.push(textField(state, details.generation, paint, repaint, reading));
  if (conditions.labels.length) fields.push(labelField(state, conditions.labels, labels, paint));
  for (const [name, values] of Object.entries(conditions.attributes)) fields.push(attributeField(request, name, values));
  for (const [name, form] of Object.entries(conditions.others)) fields.push(otherField(request, name, form));
  if (switchesOf(details.image).length) fields.push(rulesField(request, details.image));
  if (conditions.hint) fields.push(isOfNumbers(conditions.hint) ? numbersField(state, details, conditions.hint) : hintField(state, details, conditions.hint, uploader, () => void painter.paintLive()));
  return fields;
}

/** @param {State["request"]} request @param {Api.ImageKind} image */
function rulesField(request, image) {
  const { rules } = request, known = switchesOfRules(rules, image), switches = known ?? { walls: false, stairs: false, reachable: false };
  const boxes = switchesOf(image).map(({ key, name, title }) => {
    const box = html("input", { type: "checkbox", checked: switches[key], onchange: () => { switches[key] = box.checked; request.rules = rulesOf(switches, image); if (other) other.checked = false; } });
    return html("label", { className: "check", title }, box, name);
  });
  const other = !known && html("input", { type: "checkbox", checked: true, onchange: () => (request.rules = other && other.checked ? rules : rulesOf(switches, image)) });
  if (other) boxes.push(html("label", { className: "check", title: "The rules of the image, in the place of these" }, other, "Rules of a file"));
  return html("fieldset", { className: "hint-field rules" }, html("legend", {}, "Rules"), ...boxes);
}

/** @param {State} state @param {Api.GenerationDefaults} generation @param {() => void} paint @param {() => void} repaint with the seed of the active canvas @param {HTMLElement} reading */
function textField(state, { prompts, recognised, words }, paint, repaint, reading) {
  const { request } = state;
  const input = html("input", { type: "text", maxLength: 10_000, value: request.text, placeholder: prompts[0] ?? "", className: "prompt", ...(prompts.length && { list: "known-prompts" }), oninput: () => { request.text = input.value; builder?.update(); state.changed(); } });
  const take = (/** @type {string} */ text) => {
    request.text = input.value = text;
    repaint();
  };
  const builder = words.sentence ? new SentenceBuilder(words, () => request.text, take) : null;
  const field = html("label", { className: "stacked" }, "Text", input);
  const not = html("input", { type: "text", maxLength: 10_000, value: request.negative_prompt ?? "", placeholder: "what to steer away from", "aria-label": "Not", oninput: () => (request.negative_prompt = not.value) });
  const negative = html("details", { className: "more negative", open: Boolean(request.negative_prompt) }, html("summary", { title: "A negative prompt: it needs guidance above 1" }, "Not"), not);
  const known = html("datalist", { id: "known-prompts" }, ...[...new Set([...prompts, ...recognised])].map((prompt) => html("option", { value: prompt })));
  const all = examples(html("div", {}, field, reading), "Example prompts", prompts, (prompt) => {
    request.text = input.value = prompt;
    builder?.update();
    paint();
  });
  return html("div", { className: "with-examples" }, all, builder?.el ?? false, known, negative);
}

/** @param {State} state @param {string[]} labels @param {string[]} shown labels that show what the model can do @param {() => void} paint */
function labelField(state, labels, shown, paint) {
  const { request } = state;
  if (labels.length > CHIPS)
    return examples(listField("Label", labels, request.label, (label) => (request.label = label)), "Example labels", shown.filter((name) => labels.includes(name)), (name) => {
      request.label = labels.indexOf(name);
      state.panelSerial++;
      paint();
    });
  const chip = (/** @type {string} */ name, /** @type {number | null} */ label) =>
    html("label", {}, html("input", { type: "radio", name: "label", checked: request.label === label, onchange: () => (request.label = label) }), html("span", {}, name));
  return html("fieldset", { className: "choices" }, html("legend", {}, "Label"), chip("any", null), ...labels.map(chip));
}

/** Add examples to a field; a click takes one and paints. @param {HTMLElement} field @param {string} name @param {string[]} values @param {(value: string) => void} take */
function examples(field, name, values, take) {
  if (!values.length) return field;
  const buttons = values.map((value) => html("button", { type: "button", title: `Paint “${value}”`, onclick: () => take(value) }, value));
  return html("div", { className: "with-examples" }, field, html("div", { className: "examples", role: "group", "aria-label": name }, ...buttons));
}

/** @param {State["request"]} request @param {string} name @param {string[]} values */
function attributeField(request, name, values) {
  return listField(name, values, request.attributes[name] ?? null, (value) => {
    const { [name]: _, ...rest } = request.attributes;
    request.attributes = value === null ? rest : { ...rest, [name]: value };
  });
}

/** @param {string} name @param {string[]} values @param {number | null} now @param {(value: number | null) => void} take */
function listField(name, values, now, take) {
  const options = values.map((value, i) => html("option", { value: String(i), selected: i === now }, value));
  const select = html("select", { onchange: () => take(select.value === "" ? null : Number(select.value)) }, html("option", { value: "" }, "any"), ...options);
  return html("div", { className: "field" }, html("label", { className: "name" }, name, select));
}

/** A field for a condition of any kind. @param {State["request"]} request @param {string} name @param {string} form what its values are */
function otherField(request, name, form) {
  const input = html("input", { type: "text", maxLength: 100_000, placeholder: form, value: request.others[name] ?? "", oninput: () => (request.others = { ...request.others, [name]: input.value }) });
  return html("label", { className: "stacked" }, name[0].toUpperCase() + name.slice(1), input);
}

/** @param {State} state @param {Api.ModelDetails} details @param {Api.HintKind} hint */
function numbersField(state, details, hint) {
  const { request } = state;
  const hintShape = () => shapeOf(hint, details, state.request.size);
  const note = html("small", {}, request.hint?.name ?? "");
  const input = html("input", {
    type: "text", placeholder: `${hint.channels} ${hint.channels === 1 ? "number" : "numbers"}, or ${hintShape().join(" × ")}`, value: request.hint?.text ?? "",
    oninput: () => {
      const values = numbersIn(input.value);
      request.hint = null;
      try {
        if (!values) throw new Error("Enter numbers; until then the hint is ignored.");
        if (values.length) request.hint = { levels: hintOf(values, hint, hintShape()), name: "", text: input.value };
        setText(note, "");
      } catch (error) {
        setText(note, error instanceof Error ? error.message : String(error));
      }
    },
  });
  const none = html("button", { type: "button", onclick: () => { request.hint = null; state.changed(); } }, "None");
  return html("div", { className: "field" }, html("label", { className: "stacked" }, hint.image ? "Hint (codes)" : "Hint (numbers)", input, note), Boolean(request.hint?.name) && html("div", { className: "side" }, none));
}

/** Make the field of a hint that is a picture: draw it, or take it from a file. @param {State} state @param {Api.ModelDetails} details @param {Api.HintKind} hint @param {import("../transport/upload.js").Uploader} uploader @param {() => void} paint paints the changed hint */
function hintField(state, details, hint, uploader, paint) {
  const { request } = state;
  const choose = button("Picture", hint.derive ? `A picture, or a drawing of its ${hint.derive}, which becomes the hint` : "A picture that becomes the hint", () => uploader.choose("hint"));
  const none = request.hint && button("None", "Paint without a hint", () => state.setHint(null));
  const live = html("input", { type: "checkbox", checked: state.paintWhileDrawing, onchange: () => { state.paintWhileDrawing = live.checked; state.changed(); } });
  const examples = details.generation.hints.map(({ name, levels }) => {
    const picture = html("canvas", {});
    if (hint.image) drawHint(picture, { ...hint.image, height: levels.shape[1], width: levels.shape[2] }, decodeArray(levels));
    return html("button", { type: "button", title: `Paint into the ${hint.derive ?? "hint"} “${name}”`, "aria-label": `Example: ${name}`, onclick: () => { state.setHint({ levels, name }); paint(); } }, picture);
  });
  const title = hint.derive ? `Hint (${hint.derive})` : "Hint";
  return html("fieldset", { className: "hint-field" }, html("legend", {}, title),
    examples.length > 0 && html("div", { className: "hint-examples", role: "group", "aria-label": "Example hints" }, ...examples),
    html("p", { className: "note" }, request.hint && request.hint.name !== "drawn" ? request.hint.name : "Draw it beside the canvas, with any drawing tool."),
    html("div", { className: "row" }, choose, none),
    html("label", { className: "check", title: "Each stroke paints the image again, and the next one cancels it" }, live, "Paint while I draw"));
}
