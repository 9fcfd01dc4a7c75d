// A function like `fetch` by messages to a worker, or to the page itself where workers are refused.

/** @typedef {{postMessage: (message: object) => void}} Port */
/** @typedef {{content: {type: "request", id: string, address: string}, buffers: ArrayBuffer[]}} Request */
/** @typedef {{type: "head" | "chunk" | "end" | "error", id: string, status?: number, content_type?: string}} Message */

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

/** A request, and its response as it arrives. */
class Call {
  /** @type {ReadableStreamDefaultController<Uint8Array> | null} null until the response begins */
  body = null;

  /** @param {Request} request @param {(response: Response) => void} resolve @param {(error: unknown) => void} reject @param {() => void} cancel notifies the worker */
  constructor(request, resolve, reject, cancel) {
    this.request = request;
    this.resolve = resolve;
    this.reject = reject;
    this.cancel = cancel;
  }

  /** @param {Message} message */
  begin({ status = 200, content_type = "" }) {
    const body = new ReadableStream({ start: (controller) => void (this.body = controller), cancel: this.cancel });
    this.resolve(new Response(body, { status, headers: { "Content-Type": content_type } }));
  }

  /** @param {unknown} error */
  fail(error) {
    this.reject(error);
    this.body?.error(error);
  }
}

export class WorkerTransport {
  /** @type {Map<string, Call>} */
  #calls = new Map();
  #count = 0;
  #starting = 0;
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

  /** @type {import("../../transport/api.js").Send} */
  send = async (address, { body, signal } = {}) => {
    this.#starting++;
    const buffers = body ? [await new Response(body).arrayBuffer()] : [];
    this.#starting--;
    signal?.throwIfAborted();
    const id = String(this.#count++);
    return new Promise((resolve, reject) => {
      const call = new Call({ content: { type: "request", id, address }, buffers }, resolve, reject, () => this.#cancel(id));
      this.#calls.set(id, call);
      signal?.addEventListener("abort", () => {
        call.fail(signal.reason);
        this.#cancel(id);
      });
      this.#post(call);
    });
  };

  /** Number of requests whose responses have not ended. */
  get pending() {
    return this.#starting + this.#calls.size;
  }

  /** @param {Call} call */
  #post({ request }) {
    if (this.#port) this.#port.postMessage(request);
    else queueMicrotask(() => this.#receive({ message: { type: "error", id: request.content.id }, bytes: null }));
  }

  /** @param {{message: Message, bytes: Uint8Array | null}} data */
  #receive({ message, bytes }) {
    const call = this.#calls.get(message.id);
    if (!call) return;
    if (message.type === "head") call.begin(message);
    else if (message.type === "chunk") call.body?.enqueue(/** @type {Uint8Array} */ (bytes));
    else {
      this.#calls.delete(message.id);
      if (message.type === "end") call.body?.close();
      else call.fail(new TypeError("The worker gave no answer."));
    }
  }

  /** @param {string} id */
  #cancel(id) {
    if (this.#calls.delete(id)) this.#port?.postMessage({ content: { type: "cancel", id }, buffers: [] });
  }

  /** Go on without the worker: what it has not begun to answer goes to the page, or is answered by an error. */
  #refuse() {
    if (this.refused) return;
    this.refused = true;
    this.#port = this.first ? portOfPage(this.script, (data) => this.#receive(data)) : null;
    this.#port?.postMessage({ packed: this.packed });
    for (const call of this.#calls.values()) if (!call.body) this.#post(call);
  }
}
