// The far end of `WorkerTransport`, in a page without a server: one request after the other.

import { Answers } from "./answers.js";
import { OfflineModel } from "./model.js";

/** @typedef {{type: "request" | "cancel", id: string, address?: string}} Request */

export class Responder {
  /** @type {Set<string>} */
  #cancelled = new Set();
  /** @type {Promise<unknown>} */
  #last;
  /** @type {Promise<Answers>} */
  #answers;

  /** @param {string} packed what `pointillist export` wrote @param {(message: object, bytes: Uint8Array | null) => void} reply */
  constructor(packed, reply) {
    this.reply = reply;
    this.#answers = OfflineModel.open(packed).then((model) => new Answers(model));
    this.#last = this.#answers.catch(() => {});
  }

  /** @param {Request} message @param {ArrayBuffer[]} buffers */
  receive(message, buffers) {
    const { id } = message;
    if (message.type === "cancel") this.#cancelled.add(id);
    else this.#last = this.#last.then(() => this.#answer(id, message.address ?? "", buffers));
  }

  /** @param {string} id @param {string} address @param {ArrayBuffer[]} buffers */
  async #answer(id, address, buffers) {
    const head = (/** @type {number} */ status, /** @type {string} */ kind) => this.reply({ type: "head", id, status, content_type: kind }, null);
    const send = (/** @type {object} */ json) => this.reply({ type: "chunk", id }, new TextEncoder().encode(`${JSON.stringify(json)}\n`));
    const stopped = async () => {
      await new Promise((resolve) => setTimeout(resolve)); // a cancellation may wait
      return this.#cancelled.has(id);
    };
    if (!this.#cancelled.has(id)) try {
      const answers = await this.#answers, streams = address.endsWith("/sample");
      const body = buffers.length && buffers[0].byteLength ? JSON.parse(new TextDecoder().decode(buffers[0])) : null;
      if (streams) head(200, "application/x-ndjson");
      const result = await answers.answer(address, body, send, stopped);
      if (result instanceof Blob) {
        head(200, result.type);
        this.reply({ type: "chunk", id }, new Uint8Array(await result.arrayBuffer()));
      } else if (result) {
        head(200, "application/json");
        send(result);
      }
    } catch (error) {
      head(400, "application/json");
      send({ error: error instanceof Error ? error.message : String(error), code: "invalid" });
    }
    this.#cancelled.delete(id);
    this.reply({ type: "end", id }, null);
  }
}
