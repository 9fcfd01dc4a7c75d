// What `CommTransport` sends and receives by, in a page without a kernel: a worker, or the page itself without workers.

/** @typedef {import("../transport/comm_transport.js").Listener} Listener */

export class WorkerComm {
  /** @type {Set<Listener>} */
  #listeners = new Set();

  /** @param {string} packed the model @param {string} script of the worker */
  constructor(packed, script) {
    const deliver = (/** @type {any} */ message, /** @type {Uint8Array | null} */ bytes) => {
      const buffers = bytes ? [new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)] : [];
      for (const listener of this.#listeners) listener(message, buffers);
    };
    const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" })), worker = new Worker(address);
    worker.addEventListener("message", ({ data: { message, bytes } }) => deliver(message, bytes));
    worker.postMessage({ packed });
    this.send = (/** @type {object} */ content, /** @type {undefined} */ _, /** @type {ArrayBuffer[]} */ buffers = []) => worker.postMessage({ content, buffers });
  }

  get() {}

  /** @param {string} _ @param {Listener} listener */
  on(_, listener) {
    this.#listeners.add(listener);
  }

  /** @param {string} _ @param {Listener} listener */
  off(_, listener) {
    this.#listeners.delete(listener);
  }
}
