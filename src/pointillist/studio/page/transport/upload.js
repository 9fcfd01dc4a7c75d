// Upload of pictures and manifests that are dropped, pasted or chosen; pictures of another size are resized on request.

import { decodeArray } from "./encoded_arrays.js";
import { RequestError } from "./api.js";
import { parseManifest, pngText } from "./manifests.js";
import { partsOf } from "./project.js";
import { blankCanvas, traceImage } from "../canvas/canvas_model.js";

/** @typedef {"image" | "hint"} Role */

const MANIFEST = "pointillist-manifest"; // keyword of the text in a PNG

export class Uploader {
  /**
   * @param {State} state @param {import("./api.js").Server} server @param {import("../widgets/dialogs.js").Dialogs} dialogs
   * @param {import("./export.js").Exporter} exporter
   */
  constructor(state, server, dialogs, exporter) {
    this.state = state;
    this.server = server;
    this.dialogs = dialogs;
    this.exporter = exporter;
    this.broken = false; // whether the picture that is opened carries a damaged manifest
    this.paintHint = () => {}; // paints an uploaded hint
  }

  /** Open the file dialog. @param {Role} [role] */
  choose(role = "image") {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = role === "image" ? "image/*,.json,application/json" : "image/*";
    input.addEventListener("change", () => this.take(input.files?.[0], role));
    input.click();
  }

  /** Handle a picture or a manifest. @param {File | null | undefined} file @param {Role} [role] */
  async take(file, role = "image") {
    if (!file) return;
    try {
      if (file.type === "application/json" || file.name.endsWith(".json")) await this.#document(await file.text(), file.name);
      else if (role === "image" && (await this.#reproduced(file))) return;
      else await this.#picture(file, role);
    } catch (error) {
      if (!(error instanceof RequestError)) console.error(error);
      this.state.notify("error", error instanceof Error ? error.message : String(error));
    }
  }

  /** Open a project, or paint the images of a manifest again. @param {string} text @param {string} name of the file */
  #document(text, name) {
    const parts = partsOf(text);
    return parts ? this.exporter.openProject(parts) : this.exporter.reproduce(text, name);
  }

  /** Paint the image of a PNG that carries its manifest again; return false if it carries none, or its model is not open. @param {File} file */
  async #reproduced(file) {
    const text = await pngText(file, MANIFEST);
    if (!text) return false;
    let sha256;
    try {
      sha256 = parseManifest(text).model.sha256;
    } catch {
      this.broken = true;
      return false; // the picture is opened all the same
    }
    const isOpen = this.state.models.some((model) => model.details?.sha256 === sha256);
    if (isOpen) await this.exporter.reproduce(text, file.name);
    return isOpen;
  }

  /** @param {File} file @param {Role} role */
  async #picture(file, role) {
    const { model } = this.state;
    if (!model?.details) return this.state.notify("error", "No model is ready to read a picture: wait until one is.");
    const picture = await this.#read(model.id, model.details, file, role);
    if (!picture) return;
    if (role === "hint") {
      this.state.setHint({ levels: picture.levels, name: file.name });
      if (picture.note) this.state.notify("plain", picture.note);
      return this.paintHint();
    }
    await this.show(model.id, model.details, picture.levels);
    const damaged = this.broken ? "Its manifest is damaged, so the picture is opened without it." : "";
    this.broken = false;
    const note = [damaged, picture.note].filter(Boolean).join(" ");
    this.state.notice = note ? { kind: "plain", text: note } : null;
    this.state.changed();
  }

  /**
   * Upload a picture; return null if the user cancels resizing.
   * @param {string} model @param {Api.ModelDetails} details @param {File} file @param {Role} role
   */
  async #read(model, details, file, role) {
    try {
      return await this.server.upload(model, file, { role });
    } catch (error) {
      if (!(error instanceof RequestError) || error.response.code !== "size") throw error;
      const [height, width] = error.response.size ?? [Infinity, 1];
      const canKeepSize = role === "image" && !details.fixed_size && height * width <= (this.state.limits?.pixels ?? 0);
      const options = await this.dialogs.offerSize(file, error.response, canKeepSize);
      return options ? await this.server.upload(model, file, { role, ...options }) : null;
    }
  }

  /** Show a picture, with the trace that the model assigns to it. @param {string} model @param {Api.ModelDetails} details @param {Api.EncodedArray} picture */
  async show(model, details, picture) {
    const [, height, width] = picture.shape;
    const levels = decodeArray(picture);
    const maps = await this.server.ask(model, "score", { levels: picture });
    this.exporter.painter.keepDrawings();
    this.state.show([{ ...blankCanvas(model, details, [height, width]), ...traceImage(details, levels, maps) }]);
  }
}
