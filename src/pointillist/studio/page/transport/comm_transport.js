// A function like `fetch` over a notebook's comm; see studio/notebooks/comm_bridge.py for the messages.

/**
 * @typedef {object} Comm the part of an anywidget's model that is used
 * @property {(name: string) => any} get
 * @property {(content: object, callbacks?: undefined, buffers?: ArrayBuffer[]) => void} send
 * @property {(event: string, listener: Listener) => void} on @property {(event: string, listener: Listener) => void} off
 */
/** @typedef {(message: Message, buffers: DataView[]) => void} Listener */
/** @typedef {{type: "accepted" | "head" | "chunk" | "end" | "error", id: string, status?: number, content_type?: string}} Message */

const ACCEPT_TIMEOUT = 1500; // milliseconds within which an idle kernel accepts a request
const NO_BODY = [204, 304]; // statuses of responses without a body

/** A request, and its response as it arrives. */
class Call {
  accepted = false;
  /** @type {ReadableStreamDefaultController<Uint8Array> | null} */
  body = null;

  /** @param {(response: Response) => void} resolve @param {(error: unknown) => void} reject @param {() => void} cancel notifies the kernel */
  constructor(resolve, reject, cancel) {
    this.resolve = resolve;
    this.reject = reject;
    this.cancel = cancel;
  }

  /** @param {Message} message */
  begin({ status = 200, content_type = "" }) {
    const body = new ReadableStream({ start: (controller) => void (this.body = controller), cancel: this.cancel });
    this.resolve(new Response(NO_BODY.includes(status) ? null : body, { status, headers: { "Content-Type": content_type } }));
  }

  /** @param {unknown} error */
  fail(error) {
    this.reject(error);
    this.body?.error(error);
  }
}

export class CommTransport {
  /** @type {Map<string, Call>} */
  #calls = new Map();
  #count = 0;
  #starting = 0;
  #prefix = crypto.getRandomValues(new Uint32Array(2)).join("-"); // other pages receive the same messages

  /** @param {Comm} comm @param {(silent: boolean) => void} onSilence called with whether a request is not accepted in time */
  constructor(comm, onSilence) {
    this.comm = comm;
    this.onSilence = onSilence;
    comm.on("msg:custom", this.#receive);
  }

  /** @type {import("./api.js").Send} */
  send = async (address, { method = "GET", headers, body, signal } = {}) => {
    this.#starting++;
    const bytes = body ? [await new Response(body).arrayBuffer()] : [];
    this.#starting--;
    signal?.throwIfAborted();
    const id = `${this.#prefix}-${this.#count++}`;
    const response = new Promise((/** @type {(response: Response) => void} */ resolve, reject) => {
      const call = new Call(resolve, reject, () => this.#cancel(id));
      this.#calls.set(id, call);
      signal?.addEventListener("abort", () => {
        call.fail(signal.reason);
        this.#cancel(id);
      });
      setTimeout(() => this.#checkSilence(), ACCEPT_TIMEOUT);
    });
    this.comm.send({ type: "request", id, method, address, content_type: new Headers(headers).get("content-type") ?? "" }, undefined, bytes);
    return response;
  };

  /** Number of requests whose responses have not ended. */
  get pending() {
    return this.#starting + this.#calls.size;
  }

  /** Cancel all requests. */
  close() {
    this.comm.off("msg:custom", this.#receive);
    for (const [id, call] of this.#calls) {
      call.fail(new DOMException("The studio was closed.", "AbortError"));
      this.#cancel(id);
    }
  }

  /** @type {Listener} */
  #receive = (message, buffers) => {
    const call = this.#calls.get(message.id);
    if (!call) return;
    if (message.type === "accepted") {
      call.accepted = true;
      this.onSilence(false);
    } else if (message.type === "head") call.begin(message);
    else if (message.type === "chunk") call.body?.enqueue(new Uint8Array(buffers[0].buffer, buffers[0].byteOffset, buffers[0].byteLength));
    else {
      this.#calls.delete(message.id);
      if (message.type === "end") call.body?.close();
      else call.fail(new TypeError("The kernel gave no answer."));
    }
  };

  /** @param {string} id */
  #cancel(id) {
    if (this.#calls.delete(id)) this.comm.send({ type: "cancel", id });
  }

  #checkSilence() {
    if ([...this.#calls.values()].some((call) => !call.accepted)) this.onSilence(true);
  }
}
