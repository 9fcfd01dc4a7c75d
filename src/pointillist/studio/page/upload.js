// Pictures and recipes that are brought: dropped, pasted or chosen; of another size, with an offer.

import { unpackLevels } from "./arrays.js";
import { Fault } from "./api.js";
import { blankBoard, traced } from "./board.js";
import { hintOf, isOfNumbers, readNumbers, shapeOf } from "./numbers.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {"image" | "hint"} Role */

export class Bringing {
  /**
   * @param {State} state @param {import("./api.js").Server} server @param {import("./dialogs.js").Dialogs} dialogs
   * @param {import("./keeping.js").Keeping} keeping
   */
  constructor(state, server, dialogs, keeping) {
    this.state = state;
    this.server = server;
    this.dialogs = dialogs;
    this.keeping = keeping;
  }

  /** Let a file be chosen. @param {Role} [role] */
  choose(role = "image") {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = role === "image" ? "image/*,.json,application/json" : this.#numbers() ? ".npy,.txt,.csv,text/*" : "image/*";
    input.addEventListener("change", () => this.take(input.files?.[0], role));
    input.click();
  }

  /** A picture or a recipe. @param {File | null | undefined} file @param {Role} [role] */
  async take(file, role = "image") {
    if (!file) return;
    try {
      if (role === "hint" && this.#numbers()) await this.#hint(file, this.#numbers());
      else if (file.type === "application/json" || file.name.endsWith(".json")) await this.keeping.reproduce(file);
      else await this.#picture(file, role);
    } catch (error) {
      if (!(error instanceof Fault)) console.error(error);
      this.state.note("error", error instanceof Error ? error.message : String(error));
    }
  }

  /** The model's hint, if it is no picture. */
  #numbers() {
    const hint = this.state.details?.conditions.hint;
    return hint && isOfNumbers(hint) ? hint : null;
  }

  /** @param {File} file @param {Api.HintKind | null} hint */
  async #hint(file, hint) {
    const numbers = await readNumbers(file);
    const { details, ask } = this.state;
    if (!hint || !details) return;
    ask.hint = { levels: hintOf(numbers, hint, shapeOf(hint, details, ask.size)), name: file.name };
    this.state.changed();
  }

  /** @param {File} file @param {Role} role */
  async #picture(file, role) {
    const { model } = this.state;
    if (!model?.details) return this.state.note("error", "No model is ready to read a picture: wait until one is.");
    const picture = await this.#read(model.id, model.details, file, role);
    if (!picture) return;
    if (role === "hint") {
      this.state.ask.hint = { levels: picture.levels, name: file.name };
      return this.state.changed();
    }
    await this.#show(model.id, model.details, picture);
    this.state.notice = picture.note ? { kind: "plain", text: picture.note } : null;
    this.state.changed();
  }

  /**
   * As the model wants it; null if its size was not accepted.
   * @param {string} model @param {Api.Details} details @param {File} file @param {Role} role
   */
  async #read(model, details, file, role) {
    try {
      return await this.server.picture(model, file, { role });
    } catch (error) {
      if (!(error instanceof Fault) || error.fault.code !== "size") throw error;
      const free = role === "image" && !details.fixed_size && this.#fits(error.fault.size);
      const wish = await this.dialogs.offerSize(file, error.fault, free);
      return wish ? await this.server.picture(model, file, { role, ...wish }) : null;
    }
  }

  /** @param {[number, number] | null | undefined} size */
  #fits(size) {
    return Boolean(size && size[0] * size[1] <= (this.state.limits?.pixels ?? 0));
  }

  /** On the stage, with how it would have been painted. @param {string} model @param {Api.Details} details @param {Api.Picture} picture */
  async #show(model, details, picture) {
    const [, height, width] = picture.levels.shape;
    const levels = unpackLevels(picture.levels);
    const maps = await this.server.score(model, { levels: picture.levels });
    this.state.show([{ ...blankBoard(model, details, [height, width]), ...traced(details, levels, maps) }]);
  }
}
