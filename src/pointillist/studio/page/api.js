// The server, as functions. Every fault is one sentence that people can read.

const GONE = "The studio does not answer: look whether its command, or its kernel, is still running, then try again.";

/** An answer that is not a success. */
export class Fault extends Error {
  /** @param {Api.Fault} fault @param {number} status */
  constructor(fault, status) {
    super(fault.error);
    this.fault = fault;
    this.status = status;
  }
}

/** Whether work was ended on purpose. @param {unknown} error */
export const wasStopped = (error) => error instanceof DOMException && error.name === "AbortError";

/** @typedef {(address: string, options: RequestInit) => Promise<Response>} Send */

export class Server {
  /** @param {string} address of the page @param {Send} send what `fetch` does */
  constructor(address, send) {
    this.address = address;
    this.send = send;
  }

  /** @returns {Promise<Api.Hello>} */
  hello() {
    return this.#json("hello", { method: "GET" });
  }

  /**
   * The events of a painting, as they come. Leaving the loop, or the signal, stops the work.
   * @param {string} model @param {Api.PaintRequest} request @param {AbortSignal} signal
   * @returns {AsyncGenerator<Api.Event, void>}
   */
  async *paint(model, request, signal) {
    const answer = await this.#ask(of(model, "paint"), { ...posted(request), signal });
    if (!answer.body) return;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        const lines = (rest + value).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) yield JSON.parse(line);
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  /** @param {string} model @param {Api.ImageQuestion} question @returns {Promise<Api.Maps>} */
  score(model, question) {
    return this.#json(of(model, "score"), posted(question));
  }

  /** @param {string} model @param {Api.PixelQuestion} question @returns {Promise<Api.PixelAnswer>} */
  pixel(model, question) {
    return this.#json(of(model, "pixel"), posted(question));
  }

  /** @param {string} model @param {Api.LookQuestion} question @returns {Promise<Api.Look>} */
  look(model, question) {
    return this.#json(of(model, "look"), posted(question));
  }

  /** @param {string} model @param {Api.ChangeQuestion} question @returns {Promise<Api.ChangeAnswer>} */
  change(model, question) {
    return this.#json(of(model, "change"), posted(question));
  }

  /**
   * A picture in the levels of a model.
   * @param {string} model @param {Blob} file @param {Record<string, string>} wish see docs/studio_api.md
   * @returns {Promise<Api.Picture>}
   */
  picture(model, file, wish) {
    const query = new URLSearchParams(wish);
    return this.#json(`${of(model, "picture")}?${query}`, { method: "POST", body: file });
  }

  /** @param {string} model @param {Api.PngRequest} request */
  png(model, request) {
    return this.#ask(of(model, "png"), posted(request)).then((answer) => answer.blob());
  }

  /** @param {string} model @param {Api.GifRequest} request */
  gif(model, request) {
    return this.#ask(of(model, "gif"), posted(request)).then((answer) => answer.blob());
  }

  /** @param {string} model @param {Api.Recipe} recipe @param {AbortSignal} signal @returns {Promise<Api.Repainted>} */
  repaint(model, recipe, signal) {
    return this.#json(of(model, "repaint"), { ...posted({ recipe }), signal });
  }

  /** @param {string} path @param {RequestInit} options */
  async #json(path, options) {
    return (await this.#ask(path, options)).json();
  }

  /** @param {string} path @param {RequestInit} options */
  async #ask(path, options) {
    const answer = await this.send(`${this.address}api/${path}`, options).catch((error) => {
      if (wasStopped(error)) throw error;
      throw new Fault({ error: GONE, code: "gone" }, 0);
    });
    if (answer.ok) return answer;
    const fault = await answer.json().catch(() => ({ error: `The studio answered ${answer.status}.`, code: "internal" }));
    throw new Fault(fault, answer.status);
  }
}

/** @param {string} model @param {string} what */
const of = (model, what) => `models/${encodeURIComponent(model)}/${what}`;

/** @param {object} message @returns {RequestInit} */
const posted = (message) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(message),
});
