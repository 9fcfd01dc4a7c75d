// What is kept in this browser, in IndexedDB: named values, and the images of the gallery.

const NAME = "pointillist-studio";
const VERSION = 1;

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
const resultOf = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class Storage {
  /** @param {IDBDatabase} database */
  constructor(database) {
    this.database = database;
  }

  /** Open the database; return null where the browser keeps nothing. @returns {Promise<Storage | null>} */
  static async open() {
    try {
      const request = indexedDB.open(NAME, VERSION);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("values");
        request.result.createObjectStore("gallery", { keyPath: "id" });
      };
      return new Storage(await resultOf(request));
    } catch {
      return null;
    }
  }

  /** @param {string} key @returns {Promise<any>} */
  get(key) {
    return resultOf(this.#store("values", "readonly").get(key));
  }

  /** @param {string} key @param {unknown} value */
  set(key, value) {
    return resultOf(this.#store("values", "readwrite").put(value, key));
  }

  /** @returns {Promise<any[]>} all images of the gallery */
  items() {
    return resultOf(this.#store("gallery", "readonly").getAll());
  }

  /** @param {{id: string}} item */
  put(item) {
    return resultOf(this.#store("gallery", "readwrite").put(item));
  }

  /** @param {string} id */
  delete(id) {
    return resultOf(this.#store("gallery", "readwrite").delete(id));
  }

  /** Delete everything. */
  async clear() {
    await resultOf(this.#store("values", "readwrite").clear());
    await resultOf(this.#store("gallery", "readwrite").clear());
  }

  /** @param {string} name @param {IDBTransactionMode} mode */
  #store(name, mode) {
    return this.database.transaction(name, mode).objectStore(name);
  }
}
