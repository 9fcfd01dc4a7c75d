// What `CommTransport` sends and receives by, in a page without a kernel: a worker, or the page itself where workers are refused.

/** @typedef {import("../../transport/comm_transport.js").Listener} Listener */
/** @typedef {{postMessage: (message: object) => void}} Port */

/** Run the script of a worker in the page. @param {string} script @param {(data: any) => void} receive @returns {Port} */
function portOfPage(script, receive) {
  /** @type {(event: {data: object}) => void} */
  let listener = () => {};
  const self = { addEventListener: (/** @type {string} */ _, /** @type {typeof listener} */ act) => (listener = act), postMessage: (/** @type {object} */ data) => queueMicrotask(() => receive(data)) };
  const element = document.createElement("script");
  Object.assign(window, { pointillistPort: self });
  element.textContent = `((self) => {${script}\n})(window.pointillistPort);`; // scripts in the page are allowed: this is one
  document.head.append(element);
  element.remove();
  return { postMessage: (data) => queueMicrotask(() => listener({ data })) };
}

export class WorkerComm {
  /** @type {Set<Listener>} */
  #listeners = new Set();
  /** @type {{content: any, buffers: ArrayBuffer[]}[]} what a worker that has not answered yet was sent */
  #sent = [];
  /** @type {Port | null} null once a worker was refused, and nothing takes its place */
  #port = null;
  refused = false;

  /** @param {string} packed the model @param {string} script of the worker @param {boolean} first whether the page takes the place of a worker that is refused */
  constructor(packed, script, first) {
    this.packed = packed;
    this.script = script;
    this.first = first;
    try {
      const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" })), worker = new Worker(address);
      worker.addEventListener("message", ({ data }) => this.#receive(data));
      worker.addEventListener("error", (event) => {
        event.preventDefault();
        this.#refuse();
      }, { once: true });
      this.#port = worker;
      worker.postMessage({ packed });
    } catch {
      this.#refuse();
    }
  }

  /** @param {any} content @param {undefined} _ @param {ArrayBuffer[]} buffers */
  send = (content, _, buffers = []) => {
    if (!this.#port) return void queueMicrotask(() => this.#deliver({ type: "error", id: content.id }, null));
    this.#sent.push({ content, buffers });
    this.#port.postMessage({ content, buffers });
  };

  get() {}

  /** @param {string} _ @param {Listener} listener */
  on(_, listener) {
    this.#listeners.add(listener);
  }

  /** @param {string} _ @param {Listener} listener */
  off(_, listener) {
    this.#listeners.delete(listener);
  }

  /** @param {{message: any, bytes: Uint8Array | null}} data */
  #receive({ message, bytes }) {
    this.#sent = this.#sent.filter(({ content }) => content.id !== message.id);
    this.#deliver(message, bytes);
  }

  /** @param {any} message @param {Uint8Array | null} bytes */
  #deliver(message, bytes) {
    const buffers = bytes ? [new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)] : [];
    for (const listener of this.#listeners) listener(message, buffers);
  }

  /** Go on without the worker: what it was sent goes to the page, or is answered by an error. */
  #refuse() {
    if (this.refused) return;
    const sent = this.#sent.splice(0);
    this.refused = true;
    this.#port = this.first ? portOfPage(this.script, (data) => this.#receive(data)) : null;
    this.#port?.postMessage({ packed: this.packed });
    for (const { content, buffers } of sent) this.send(content, undefined, buffers);
  }
}
