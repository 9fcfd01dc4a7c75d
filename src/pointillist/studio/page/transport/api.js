// Client of the studio's HTTP interface. Every error is one sentence that people can read.

import { inOneDirection } from "../shared/dom.js";

const NO_ANSWER = "The studio does not answer: check that its command, or its kernel, is still running, then try again.";

/** A response that is not a success. */
export class RequestError extends Error {
  /** @param {Api.ErrorResponse} response @param {number} status */
  constructor(response, status) {
    super(response.error);
    this.response = response;
    this.status = status;
  }
}

/** Return true if a request was aborted on purpose. @param {unknown} error */
export const isAbort = (error) => error instanceof DOMException && error.name === "AbortError";

/** @typedef {(address: string, options: RequestInit) => Promise<Response>} Send */
/**
 * Messages and answers by route.
 * @typedef {{
 *   fill: [Api.FillRequest, Api.FillResult], reproduce: [Api.ReproduceRequest, Api.ReproduceResult], world: [Api.WorldQuery, Api.WorldTiles],
 *   score: [Api.CanvasQuery, Api.ScoreMaps], pixel: [Api.PixelQuery, Api.PixelDistribution], edit: [Api.EditQuery, Api.EditEffect],
 *   saliency: [Api.SaliencyQuery, Api.Saliency], field: [Api.FieldQuery, Api.FieldReach], layers: [Api.CanvasQuery, Api.LayerReadings],
 *   words: [Api.WordQuery, Api.WordMaps], prompt: [Partial<Api.ConditionValues>, Api.SampledPrompt], activation: [Api.ActivationQuery, Api.ActivationMap],
 * }} Routes
 */
/** @typedef {{png: Api.PngRequest, map: Api.MapRequest}} Files */

export class Server {
  /** @param {string} address of the page @param {Send} send a function like `fetch` */
  constructor(address, send) {
    this.address = address;
    this.send = send;
  }

  /** @returns {Promise<Api.ServerInfo>} */
  async info() {
    const answer = await this.#request("info", { method: "GET" });
    return JSON.parse(await answer.text(), (_, value) => (typeof value === "string" ? inOneDirection(value) : value));
  }

  /** @returns {Promise<Api.RunState>} */
  run() {
    return this.#json("run", { method: "GET" });
  }

  /** Return the address of a sample sheet of the run. @param {number} step */
  sheet(step) {
    return `${this.address}api/run/sheets/${step}`;
  }

  /**
   * Yield the events of a sampling job as they arrive. Leaving the loop, or the signal, cancels the job.
   * @param {string} model @param {Api.SampleRequest} request @param {AbortSignal} signal
   * @returns {AsyncGenerator<Api.Event, void>}
   */
  async *sample(model, request, signal) {
    const answer = await this.#request(routeOf(model, "sample"), { ...postOf(request), signal });
    if (!answer.body) return;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
      for (;;) {
        const { value, done } = await reader.read().catch((error) => {
          if (isAbort(error)) throw error;
          throw new RequestError({ error: "The painting was interrupted: the studio stopped or was closed.", code: "offline" }, 0);
        });
        if (done) return;
        const lines = (rest + value).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) yield JSON.parse(line);
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  /** Ask about an image of a model, or for one. @template {keyof Routes} R @param {string} model @param {R} route @param {Routes[R][0]} query @param {AbortSignal} [signal] @returns {Promise<Routes[R][1]>} */
  ask(model, route, query, signal) {
    return this.#json(routeOf(model, route), { ...postOf(query), signal });
  }

  /**
   * Convert a picture file to the levels of a model.
   * @param {string} model @param {Blob} file @param {Record<string, string>} options see docs/reference/studio_api.md
   * @returns {Promise<Api.UploadedImage>}
   */
  upload(model, file, options) {
    return this.#json(`${routeOf(model, "upload")}?${new URLSearchParams(options)}`, { method: "POST", body: file });
  }

  /** Ask for a file of an image. @template {keyof Files} F @param {string} model @param {F} kind @param {Files[F]} request */
  async file(model, kind, request) {
    return (await this.#request(routeOf(model, kind), postOf(request))).blob();
  }

  /** @param {string} path @param {RequestInit} options */
  async #json(path, options) {
    return (await this.#request(path, options)).json();
  }

  /** @param {string} path @param {RequestInit} options */
  async #request(path, options) {
    const answer = await this.send(`${this.address}api/${path}`, options).catch((error) => {
      if (isAbort(error)) throw error;
      throw new RequestError({ error: NO_ANSWER, code: "offline" }, 0);
    });
    if (answer.ok) return answer;
    const error = await answer.json().catch(() => ({ error: `The studio answered ${answer.status}.`, code: "internal" }));
    throw new RequestError(error, answer.status);
  }
}

/** @param {string} model @param {string} what */
const routeOf = (model, what) => `models/${encodeURIComponent(model)}/${what}`;

/** @param {object} message @returns {RequestInit} */
const postOf = (message) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(message),
});
