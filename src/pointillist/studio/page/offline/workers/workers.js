// The workers of an exported page: pictures, candidates of a fill and chunks of an endless map are divided among them. Each is a
// function of the program, its seed and its number, so that the answers are the same for any number of workers.
/** @typedef {{send: Send, readonly pending: number, readonly refused: boolean}} Line to a worker; `pending`: requests that are not answered */
/** @typedef {{order: number, run: (line: Line) => Promise<void>}} Task */
/** @typedef {{x: number, y: number, levels: Api.EncodedArray}} Chunk */

export const MOST = 4; // workers: each holds the model
const SIDE = 32; // cells of a chunk, and of a request of the page
const REMEMBERED = 512; // chunks of a map

/** Choose the number of workers of a page. @param {number | undefined} processors */
export const workersFor = (processors) => Math.max(1, Math.min(MOST, processors || 1));

/** @param {unknown} json @param {number} [status] */
const answered = (json, status = 200) => new Response(JSON.stringify(json), { status, headers: { "Content-Type": "application/json" } });

/** Phase in which a chunk is drawn; it needs its neighbours of earlier ones. @param {number} x @param {number} y */
const phase = (x, y) => Math.abs(x % 2) + 2 * Math.abs(y % 2);

/** A chunk that cannot be drawn, such as by rules. */
class Unmet extends Error {}

export class Workers {
  /** @type {Task[]} */
  #tasks = [];
  /** @type {Set<Line>} lines with a task */
  #busy = new Set();
  #order = 0;
  #map = "";
  /** @type {Map<string, Promise<Chunk>>} chunks of the map */
  #chunks = new Map();

  /** @param {(first: boolean) => Line} open @param {number} most workers; others than the first begin when there is work for them */
  constructor(open, most) {
    this.open = open;
    this.most = most;
    this.lines = [open(true)];
    this.last = this.lines[0]; // that painted: it has what it drew
  }

  /** A function like `fetch`. @type {Send} */
  send = (address, options) => {
    const [what] = /\w+$/.exec(address) ?? [""], body = typeof options.body === "string" ? options.body : "";
    if (what === "fill" && this.most > 1) return this.#fill(address, options, JSON.parse(body));
    if (what === "world" && this.most > 1) {
      const query = JSON.parse(body);
      if ([query.row % SIDE, query.column % SIDE, query.height - SIDE, query.width - SIDE].every((rest) => !rest)) return this.#world(address, options, query);
    }
    const line = this.#free(what === "sample");
    if (what === "sample") this.last = line;
    return this.#ask(line, address, options);
  };

  /** Return a line with nothing to do, or with the least. @param {boolean} more whether another worker may begin */
  #free(more) {
    const idle = [this.last, ...this.lines].find(({ pending }) => !pending);
    if (!idle && more && this.lines.length < this.most) this.lines.push(this.open(false));
    return idle ?? this.lines.reduce((best, line) => (line.pending < best.pending ? line : best));
  }

  /** Send a request; where its worker is refused, the first one answers. @param {Line} line @param {string} address @param {RequestInit} options */
  async #ask(line, address, options) {
    try {
      return await line.send(address, options);
    } catch (error) {
      const [first] = this.lines;
      if (!line.refused || line === first) throw error;
      this.lines = this.lines.filter((one) => one !== line);
      this.most = this.lines.length;
      return first.send(address, options);
    }
  }

  /** Do a task as soon as a worker has none, the earliest first. @template T @param {number} order @param {(line: Line) => Promise<T>} act @param {Line} [only] the worker that does it @returns {Promise<T>} */
  #do(order, act, only) {
    return new Promise((resolve, reject) => {
      const run = (/** @type {Line} */ line) => act(line).then(resolve, reject);
      if (only) this.#run(only, run);
      else this.#tasks.push({ order, run });
      this.#next();
    });
  }

  /** @param {Line} line @param {Task["run"]} run */
  #run(line, run) {
    this.#busy.add(line);
    void run(line).finally(() => {
      this.#busy.delete(line);
      this.#next();
    });
  }

  #next() {
    while (this.#tasks.length) {
      if (this.lines.every((line) => this.#busy.has(line)) && this.lines.length < this.most) this.lines.push(this.open(false));
      const line = this.lines.find((one) => !this.#busy.has(one));
      if (!line) return;
      const task = this.#tasks.reduce((first, one) => (one.order < first.order ? one : first));
      this.#tasks.splice(this.#tasks.indexOf(task), 1);
      this.#run(line, task.run);
    }
  }

  /** Ask for JSON. @param {Line} line @param {string} address @param {RequestInit} options @param {object} body @returns {Promise<{response: Response, json: any}>} */
  async #json(line, address, options, body) {
    const response = await this.#ask(line, address, { ...options, body: JSON.stringify(body) });
    return { response, json: await response.json() };
  }

  /** Draw each candidate by itself; the first where it was painted, which has it. @param {string} address @param {RequestInit} options @param {Api.FillRequest} request */
  async #fill(address, options, request) {
    const { candidates: count = 8, pick = null } = request, seed = request.seed ?? Math.floor(Math.random() * 2 ** 31), order = this.#order++;
    if (pick !== null || count === 1) return this.#ask(this.last, address, options);
    const parts = await Promise.all(Array.from({ length: count }, (_, number) =>
      this.#do(order, (line) => this.#json(line, address, options, { ...request, seed, numbers: [number] }), number ? undefined : this.last)));
    const failed = parts.find(({ response }) => !response.ok);
    if (failed) return answered(failed.json, failed.response.status);
    /** @type {Api.FillResult[]} */
    const results = parts.map(({ json }) => json), [first] = results;
    const candidates = results.flatMap((one) => one.candidates).sort((a, b) => (first.method === "known" ? a.number - b.number : a.bits - b.bits || a.number - b.number));
    const sha256 = results.flatMap((one) => one.manifest.sha256);
    return answered({ ...first, candidates, ess: count, seconds: Math.max(...results.map(({ seconds }) => seconds)), manifest: { ...first.manifest, sha256 } });
  }

  /** Draw a chunk of an endless map. @param {string} address @param {RequestInit} options @param {Api.WorldQuery} query */
  async #world(address, options, { row, column, ...query }) {
    const map = JSON.stringify([query.seed, query.rules]);
    if (map !== this.#map) this.#chunks.clear();
    this.#map = map;
    try {
      const { levels } = await this.#chunk(column / SIDE, row / SIDE, this.#order++, (line, body) => this.#json(line, address, options, { ...query, ...body }));
      return answered({ levels });
    } catch (error) {
      if (!(error instanceof Unmet)) throw error;
      return answered({ error: error.message, code: "invalid" }, 400);
    }
  }

  /** @param {number} x @param {number} y @param {number} order @param {(line: Line, body: object) => Promise<{response: Response, json: any}>} ask @returns {Promise<Chunk>} */
  #chunk(x, y, order, ask) {
    const name = `${x},${y}`, chunk = this.#chunks.get(name) ?? this.#drawn(x, y, order, ask);
    this.#chunks.delete(name); // the newest is the last
    this.#chunks.set(name, chunk);
    if (this.#chunks.size > REMEMBERED) this.#chunks.delete(/** @type {string} */ (this.#chunks.keys().next().value));
    chunk.catch(() => this.#chunks.delete(name));
    return chunk;
  }

  /** Draw the neighbours that a chunk needs, and then the chunk. @param {number} x @param {number} y @param {number} order @param {(line: Line, body: object) => Promise<{response: Response, json: any}>} ask @returns {Promise<Chunk>} */
  async #drawn(x, y, order, ask) {
    const near = [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((right) => [x + right, y + down])).filter(([column, row]) => phase(column, row) < phase(x, y));
    const around = await Promise.all(near.map(([column, row]) => this.#chunk(column, row, order, ask)));
    const { response, json } = await this.#do(order, (line) => ask(line, { row: y * SIDE, column: x * SIDE, around }));
    if (!response.ok) throw new Unmet(json.error);
    return { x, y, levels: json.levels };
  }
}
