import type { Config } from './config.ts';
import { applyPatch, faultOf, isEqual, patchBetween, PatchError, readPatch } from './json-patch.ts';
import type { Json, Patch } from './json-patch.ts';
import { Name } from './messages.ts';
// #if redis
import { RedisDown, settle } from './redis-link.ts';
// #endif
import type { Position, Recovery, Store } from './store.ts';
// #if redis
import type { DocumentStore, Entry } from './store.ts';
// #endif

/** Operations of the longest patch. */
export const MAX_OPERATIONS = 1000;
/** Characters of all documents for a byte of MEMORY_BUDGET: each takes two as text and more as a value. */
const SHARE = 1 / 8;

/** Why a document cannot be had or changed, as an HTTP status (RFC 9110 section 15). */
export class DocumentError extends Error {
  readonly status: 400 | 404 | 409 | 412 | 413 | 503;

  constructor(status: DocumentError['status'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** A document as it is now. */
export interface Snapshot {
  readonly name: string;
  readonly position: Position;
  readonly data: Json;
  /** `data` as JSON. */
  readonly text: string;
}

/** Gets what happens to documents, in order. */
export interface Watcher {
  /** `patch`, as JSON, has made `snapshot`. */
  readonly onPatch: (snapshot: Snapshot, patch: string) => void;
  readonly onRemoved: (name: string) => void;
  // #if redis
  /** What led there is not known: the document is this one now. */
  readonly onReplaced: (snapshot: Snapshot) => void;
  /** Whether anybody gets what happens to a document. */
  readonly isWatched: (name: string) => boolean;
  // #endif
}

interface Document extends Snapshot {
  /** Keeps its patches in the store. */
  readonly release: () => void;
}

// #if redis
/** Another server has changed the document first. */
class Conflict extends Error {}

/** The error that a caller sees. */
function unlessDown(error: unknown): unknown {
  return error instanceof RedisDown
    ? new DocumentError(503, 'the documents are out of reach', { cause: error })
    : error;
}

/** How often a change is tried anew whose document others change at the same time. */
const MAX_ATTEMPTS = 50;

// #endif
/**
 * The documents of this server, changed one step after the other; positions and patches are in the store.
 * Unless the store has the documents, too, this process alone changes them.
 */
export class Documents {
  watcher: Watcher | undefined;
  readonly #config: Config;
  readonly #store: Store;
  readonly #documents = new Map<string, Document>();
  /** What is under way, by document. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** Characters of all documents as JSON. */
  #length = 0;

  constructor(config: Config, store: Store) {
    this.#config = config;
    this.#store = store;
  }

  /** The document if this process has it. */
  get(name: string): Snapshot | undefined {
    return this.#documents.get(name);
  }

  /** The document, wherever it is. */
  async open(name: string): Promise<Snapshot | undefined> {
    // #if redis
    return this.#documents.get(name) ?? (await this.#load(name));
    // #else
    //~ return await Promise.resolve(this.#documents.get(name));
    // #endif
  }
  // #if redis

  get #shared(): DocumentStore | undefined {
    return this.#store.documents;
  }

  /** From now on, this process has it, with all changes. */
  async #load(name: string): Promise<Snapshot | undefined> {
    if (this.#shared === undefined || !Name.safeParse(name).success) return undefined;
    let early: Entry[] = [];
    /** How often something else than entries has come: the document has to be asked for again then. */
    let breaks = 0;
    const beginAnew = (): void => {
      early = [];
      breaks += 1;
    };
    const release = await this.#store.subscribe(name, {
      onEntry: (entry) => {
        if (this.#documents.has(name)) this.#apply(name, entry);
        else early.push(entry);
      },
      onLost: () => {
        beginAnew();
        settle(this.#reload(name));
      },
      onRemoved: () => {
        beginAnew();
        this.#forget(name, true);
      },
    });
    let loaded: Awaited<ReturnType<DocumentStore['load']>>;
    let before: number;
    do {
      before = breaks;
      loaded = await this.#shared.load(name).catch((error: unknown) => {
        release();
        throw unlessDown(error);
      });
    } while (before !== breaks);
    const known = this.#documents.get(name);
    if (loaded === undefined || known !== undefined) {
      release();
      return known;
    }
    this.#makeSpace();
    this.#set({ name, ...loaded, data: JSON.parse(loaded.text) as Json, release });
    for (const entry of early) this.#apply(name, entry);
    return this.#documents.get(name);
  }

  /** Makes a change that is in the store. */
  #apply(name: string, entry: Entry): void {
    const present = this.#documents.get(name);
    if (present === undefined || entry.offset <= present.position.offset) return;
    try {
      if (entry.offset !== present.position.offset + 1) throw new Conflict();
      const patch = JSON.parse(entry.data) as Patch;
      const data = applyPatch(present.data, patch, this.#config.MAX_DOCUMENT_BYTES);
      const position = { ...present.position, offset: entry.offset };
      const document = { ...present, data, position, text: JSON.stringify(data) };
      this.#set(document);
      this.watcher?.onPatch(document, entry.data);
    } catch {
      settle(this.#reload(name));
    }
  }

  /** Takes the document as it is in the store; who watches it gets the whole. */
  async #reload(name: string): Promise<void> {
    const present = this.#documents.get(name);
    if (present === undefined) return;
    const loaded = await this.#shared?.load(name);
    if (this.#documents.get(name)?.release !== present.release) return;
    if (loaded === undefined) {
      this.#forget(name, true);
      return;
    }
    const { epoch, offset } = this.#documents.get(name)?.position ?? present.position;
    if (epoch === loaded.position.epoch && offset >= loaded.position.offset) return;
    const document = { ...present, ...loaded, data: JSON.parse(loaded.text) as Json };
    this.#set(document);
    this.watcher?.onReplaced(document);
  }

  #set(document: Document): void {
    this.#length += document.text.length - (this.#documents.get(document.name)?.text.length ?? 0);
    this.#documents.set(document.name, document);
  }

  /** It is not kept any more; `isRemoved`: there is none. */
  #forget(name: string, isRemoved: boolean): void {
    const present = this.#documents.get(name);
    if (present === undefined) return;
    this.#documents.delete(name);
    this.#length -= present.text.length;
    present.release();
    if (isRemoved) this.watcher?.onRemoved(name);
  }

  /** Forgets a document that nobody watches, for another one. */
  #makeSpace(): void {
    if (this.#documents.size < this.#config.MAX_DOCUMENTS) return;
    const names = [...this.#documents.keys()];
    const unwatched = names.find((name) => this.watcher?.isWatched(name) !== true);
    if (unwatched !== undefined) this.#forget(unwatched, false);
  }

  async #commit(name: string, text: string, patch: string): Promise<Position> {
    const expected = this.#documents.get(name)?.position;
    const change = { text, patch, ...(expected && { expected }) };
    const position = await this.#shared?.commit(name, change);
    if (position === 'full') throw new DocumentError(413, 'there are MAX_DOCUMENTS documents');
    if (position === undefined) throw new Conflict();
    return position;
  }

  /** Does it again after what others did at the same time. */
  async #repeat<T>(name: string, step: () => Promise<T>): Promise<T> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      try {
        if (attempt > 0) await this.#reload(name);
        return await step();
      } catch (error) {
        if (!(error instanceof Conflict)) throw unlessDown(error);
      }
    }
    throw new DocumentError(409, 'others change the document all the time');
  }
  // #endif

  /**
   * Creates or replaces a document; who watches it gets the difference. With `expected`, only if that is its
   * position, written as `epoch:offset`, or if that is `*` and it exists (RFC 9110 section 13.1.1).
   *
   * @throws {DocumentError} 400, 412, 413
   */
  async put(name: string, data: unknown, expected?: string): Promise<Position> {
    if (!Name.safeParse(name).success) throw new DocumentError(400, 'expected a name');
    const fault = data === undefined ? 'expected a JSON value' : faultOf(data);
    if (fault !== undefined) throw new DocumentError(400, fault);
    // What the caller changes later is no change of the document.
    const after = JSON.parse(JSON.stringify(data)) as Json;
    return await this.turn(name, async () => {
      const present = await this.open(name);
      this.#expect(present, expected);
      if (present === undefined) {
        if (this.#documents.size >= this.#config.MAX_DOCUMENTS) {
          throw new DocumentError(413, 'there are MAX_DOCUMENTS documents');
        }
        return await this.#publish(name, after, [{ op: 'add', path: '', value: after }]);
      }
      if (isEqual(present.data, after)) return present.position;
      return await this.#publish(name, after, patchBetween(present.data, after, MAX_OPERATIONS));
    });
  }

  /**
   * Changes a document: all of the patch (RFC 6902) or nothing.
   *
   * @throws {DocumentError} 400, 404, 409, 412, 413
   */
  async patch(name: string, operations: unknown, expected?: string): Promise<Position> {
    return await this.turn(name, async () => {
      const present = await this.open(name);
      if (present === undefined) throw new DocumentError(404, `there is no document ${name}`);
      this.#expect(present, expected);
      try {
        // What the caller changes later is no change of the document.
        const read = JSON.stringify(readPatch(operations, MAX_OPERATIONS));
        const patch = JSON.parse(read) as Patch;
        const data = applyPatch(present.data, patch, this.#config.MAX_DOCUMENT_BYTES);
        if (data === present.data) return present.position;
        const fault = faultOf(data);
        if (fault !== undefined) throw new DocumentError(400, fault);
        return await this.#publish(name, data, patch);
      } catch (error) {
        if (!(error instanceof PatchError)) throw error;
        const status = { invalid: 400, conflict: 409, tooLarge: 413 } as const;
        throw new DocumentError(status[error.why], error.message);
      }
    });
  }

  /** Removes a document; false if there is none. @throws {DocumentError} 412 */
  async remove(name: string, expected?: string): Promise<boolean> {
    return await this.turn(name, async () => {
      await this.open(name);
      const present = this.#documents.get(name);
      this.#expect(present, expected);
      if (present === undefined) return false;
      // #if redis
      if (this.#shared !== undefined) {
        if (!(await this.#shared.drop(name, present.position))) throw new Conflict();
        this.#forget(name, true);
        return true;
      }
      // #endif
      this.#documents.delete(name);
      this.#length -= present.text.length;
      present.release();
      this.watcher?.onRemoved(name);
      return await Promise.resolve(true);
    });
  }

  /** The patches after `since`, and the position, of a document as it is now: call it in its turn. */
  async recover(name: string, since?: Position): Promise<Recovery> {
    return await this.#store.recover(name, since);
  }

  /** Runs `step` when nothing else happens to the document called `name`. */
  async turn<T>(name: string, step: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(name) ?? Promise.resolve();
    // #if redis
    const run = (): Promise<T> => this.#repeat(name, step);
    // #else
    //~ const run = step;
    // #endif
    const own = before.then(run, run);
    const settled = own.catch(() => undefined);
    this.#turns.set(name, settled);
    try {
      return await own;
    } finally {
      if (this.#turns.get(name) === settled) this.#turns.delete(name);
    }
  }

  #expect(present: Snapshot | undefined, expected: string | undefined): void {
    if (expected === undefined || (expected === '*' && present !== undefined)) return;
    const { epoch, offset } = present?.position ?? { epoch: '', offset: 0 };
    if (expected !== `${epoch}:${String(offset)}`) {
      throw new DocumentError(412, 'the document is at another position');
    }
  }

  async #publish(name: string, data: Json, patch: Patch): Promise<Position> {
    const text = JSON.stringify(data);
    const limit = this.#config.MAX_DOCUMENT_BYTES;
    if (Buffer.byteLength(text) > limit) {
      throw new DocumentError(413, `expected at most ${String(limit)} bytes`);
    }
    const present = this.#documents.get(name);
    if (
      this.#length + text.length - (present?.text.length ?? 0) >
      this.#config.MEMORY_BUDGET * SHARE
    ) {
      throw new DocumentError(413, 'all documents together are too large for MEMORY_BUDGET');
    }
    const change = JSON.stringify(patch);
    // #if redis
    if (this.#shared !== undefined) return await this.#commit(name, text, change);
    // #endif
    const release =
      present?.release ?? (await this.#store.subscribe(name, { onEntry: () => undefined }));
    const { offset, epoch } = await this.#store.publish(name, change);
    const document = { name, position: { offset, epoch }, data, text, release };
    this.#documents.set(name, document);
    this.#length += text.length - (present?.text.length ?? 0);
    this.watcher?.onPatch(document, change);
    return document.position;
  }
}
