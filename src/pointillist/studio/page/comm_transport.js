// What `fetch` does, over the messages between a notebook and its kernel; see studio/bridge.py for what they say.

/**
 * @typedef {object} Comm the model of an anywidget, as far as it is needed
 * @property {(name: string) => any} get
 * @property {(content: object, callbacks?: undefined, buffers?: ArrayBuffer[]) => void} send
 * @property {(event: string, hear: Hear) => void} on @property {(event: string, hear: Hear) => void} off
 */
/** @typedef {(message: Message, buffers: DataView[]) => void} Hear */
/** @typedef {{type: "heard" | "head" | "part" | "end" | "broken", id: string, status?: number, content_type?: string}} Message */

const PATIENCE = 1500; // milliseconds in which a kernel that is free hears
const BARE = [204, 304]; // answers that have no body

/** One request, and its answer as it comes. */
class Call {
  heard = false;
  /** @type {ReadableStreamDefaultController<Uint8Array> | null} */
  body = null;

  /** @param {(answer: Response) => void} resolve @param {(error: unknown) => void} reject @param {() => void} stop tells the kernel */
  constructor(resolve, reject, stop) {
    this.resolve = resolve;
    this.reject = reject;
    this.stop = stop;
  }

  /** @param {Message} message */
  begin({ status = 200, content_type = "" }) {
    const body = new ReadableStream({ start: (controller) => void (this.body = controller), cancel: this.stop });
    this.resolve(new Response(BARE.includes(status) ? null : body, { status, headers: { "Content-Type": content_type } }));
  }

  /** @param {unknown} error */
  fail(error) {
    this.reject(error);
    this.body?.error(error);
  }
}

export class Wire {
  /** @type {Map<string, Call>} */
  #calls = new Map();
  #count = 0;
  #name = crypto.getRandomValues(new Uint32Array(2)).join("-"); // other pages hear the same messages

  /** @param {Comm} comm @param {(silent: boolean) => void} onSilence whether the kernel lets something wait */
  constructor(comm, onSilence) {
    this.comm = comm;
    this.onSilence = onSilence;
    comm.on("msg:custom", this.#hear);
  }

  /** @type {import("./api.js").Send} */
  send = async (address, { method = "GET", headers, body, signal } = {}) => {
    const bytes = body ? [await new Response(body).arrayBuffer()] : [];
    signal?.throwIfAborted();
    const id = `${this.#name}-${this.#count++}`;
    const answer = new Promise((/** @type {(answer: Response) => void} */ resolve, reject) => {
      const call = new Call(resolve, reject, () => this.#stop(id));
      this.#calls.set(id, call);
      signal?.addEventListener("abort", () => {
        call.fail(signal.reason);
        this.#stop(id);
      });
      setTimeout(() => this.#listen(), PATIENCE);
    });
    this.comm.send({ type: "ask", id, method, address, content_type: new Headers(headers).get("content-type") ?? "" }, undefined, bytes);
    return answer;
  };

  /** End everything that is asked. */
  close() {
    this.comm.off("msg:custom", this.#hear);
    for (const [id, call] of this.#calls) {
      call.fail(new DOMException("The studio was closed.", "AbortError"));
      this.#stop(id);
    }
  }

  /** @type {Hear} */
  #hear = (message, buffers) => {
    const call = this.#calls.get(message.id);
    if (!call) return;
    if (message.type === "heard") {
      call.heard = true;
      this.onSilence(false);
    } else if (message.type === "head") call.begin(message);
    else if (message.type === "part") call.body?.enqueue(new Uint8Array(buffers[0].buffer, buffers[0].byteOffset, buffers[0].byteLength));
    else {
      this.#calls.delete(message.id);
      if (message.type === "end") call.body?.close();
      else call.fail(new TypeError("The kernel gave no answer."));
    }
  };

  /** @param {string} id */
  #stop(id) {
    if (this.#calls.delete(id)) this.comm.send({ type: "stop", id });
  }

  #listen() {
    if ([...this.#calls.values()].some((call) => !call.heard)) this.onSilence(true);
  }
}
