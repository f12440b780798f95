import { setTimeout as delay } from 'node:timers/promises';
import * as Y from 'yjs';
import { Awareness } from './awareness.ts';
import type { Config } from './config.ts';
import { log } from './log.ts';
import type { Persistence } from './persistence.ts';
import { Malformed, reading } from './yjs-messages.ts';

/** Bytes of updates that wait for others which they build upon. */
const MAX_PENDING_BYTES = 65_536;
/** Bytes beyond its limit that a document may grow by deletions. */
const DELETION_BYTES = 65_536;
/** Bytes of updates after which the size of a document is measured, or what is kept of it compacted. */
const STEP_BYTES = 65_536;
/** Milliseconds after which what could not be kept is kept. */
const KEEP_AGAIN_MS = 1000;

/** The document has no space for an update. */
export class DocumentFull extends Error {}
/** All documents together have none. */
export class DocumentsFull extends Error {}
/** Yjs has not got to the end of an update: the document may be anything now. */
export class DocumentBroken extends Error {}

/** Bytes of all documents that are open. */
export interface Space {
  readonly limit: number;
  bytes: number;
}

/** One document that is open: its content, who is there, and that it is kept. */
export class SharedDocument {
  readonly name: string;
  readonly awareness: Awareness;
  readonly #content = new Y.Doc();
  readonly #config: Config;
  readonly #space: Space;
  readonly #persistence: Persistence;
  /** Bytes of its content: measured, and what came since. */
  #bytes = 0;
  #sinceMeasured = 0;
  /** What the update under way has changed. */
  #changes: Uint8Array[] = [];
  /** What is to be kept: updates, or the whole instead. */
  #waiting: Uint8Array[] = [];
  #isWholeWaiting = false;
  /** Bytes that were kept since the whole was. */
  #kept = 0;
  #keeping: Promise<void> | undefined;
  #isBroken = false;
  /** Whether the last attempt to keep something was in vain. */
  #hasFailed = false;

  constructor(
    name: string,
    parts: { readonly config: Config; readonly space: Space; readonly persistence: Persistence },
  ) {
    this.name = name;
    this.#config = parts.config;
    this.#space = parts.space;
    this.#persistence = parts.persistence;
    this.awareness = new Awareness(parts.config.MAX_AWARENESS_BYTES);
    this.#content.on('update', (change: Uint8Array) => this.#changes.push(change));
  }

  /** Reads what was kept. */
  async load(): Promise<void> {
    const updates = await this.#persistence.load(this.name);
    Y.transact(this.#content, () => {
      for (const update of updates) Y.applyUpdate(this.#content, update);
    });
    this.#changes = [];
    // Beside what was merged meanwhile.
    this.#kept += updates.reduce((sum, { length }) => sum + length, 0);
    this.#measure();
  }

  /** What it holds, for who asks with its own vector. */
  get vector(): Uint8Array {
    return Y.encodeStateVector(this.#content);
  }

  /** All that somebody with `vector` does not have. @throws {Malformed} */
  since(vector?: Uint8Array): Uint8Array {
    return reading(() => Y.encodeStateAsUpdate(this.#content, vector));
  }

  /**
   * Makes the changes of `update`, and keeps them. Returns what was new.
   *
   * @throws {Malformed} @throws {DocumentFull} @throws {DocumentsFull} @throws {DocumentBroken}
   */
  apply(update: Uint8Array): readonly Uint8Array[] {
    const { structs } = reading(() => Y.decodeUpdate(update));
    this.#checkSpaceFor(update.length, structs.length === 0);
    const changes = this.#change(update);
    this.#keep(changes);
    return changes;
  }

  /**
   * Whether it has got updates that build upon unknown ones; more than a few of them are dropped.
   *
   * @throws {Malformed} they were
   */
  isWaiting(): boolean {
    const { store } = this.#content;
    const waiting = (store.pendingStructs?.update.length ?? 0) + (store.pendingDs?.length ?? 0);
    if (waiting <= MAX_PENDING_BYTES) return waiting > 0;
    store.pendingStructs = null;
    store.pendingDs = null;
    throw new Malformed('too many updates that build upon unknown ones');
  }

  // #if redis
  /** Makes changes that another server has made, and kept. Returns what was new. @throws {DocumentBroken} */
  merge(update: Uint8Array): readonly Uint8Array[] {
    const changes = this.#change(update);
    this.#kept += update.length;
    return changes;
  }

  /** Keeps all of it once more. */
  keepWhole(): void {
    this.#isWholeWaiting = true;
    this.#keep([]);
  }

  // #endif
  /** Resolves when everything is kept. */
  async flush(): Promise<void> {
    await this.#keeping;
  }

  close(): void {
    this.#space.bytes -= this.#bytes;
    this.#content.destroy();
  }

  /** @throws {DocumentBroken} */
  #change(update: Uint8Array): readonly Uint8Array[] {
    this.#changes = [];
    try {
      Y.applyUpdate(this.#content, update);
    } catch (error) {
      this.#isBroken = true;
      throw new DocumentBroken(String(error));
    }
    for (const { length } of this.#changes) this.#grow(length);
    return this.#changes;
  }

  #checkSpaceFor(bytes: number, isDeletion: boolean): void {
    const limit = this.#config.MAX_STATE_BYTES + (isDeletion ? DELETION_BYTES : 0);
    const isFull = (): boolean => this.#bytes + bytes > limit;
    const areFull = (): boolean => this.#space.bytes + bytes > this.#space.limit;
    // What was deleted or merged takes less than the updates that did it.
    if ((isFull() || areFull()) && this.#sinceMeasured > 0) this.#measure();
    if (isFull()) throw new DocumentFull();
    if (areFull()) throw new DocumentsFull();
  }

  #measure(): void {
    const { length } = Y.encodeStateAsUpdate(this.#content);
    this.#grow(length - this.#bytes);
    this.#sinceMeasured = 0;
  }

  #grow(bytes: number): void {
    this.#bytes += bytes;
    this.#space.bytes += bytes;
    this.#sinceMeasured += bytes;
  }

  #keep(changes: readonly Uint8Array[]): void {
    if (changes.length === 0 && !this.#isWholeWaiting) return;
    this.#waiting.push(...changes);
    this.#keeping ??= this.#keepAll().finally(() => (this.#keeping = undefined));
  }

  async #keepAll(): Promise<void> {
    while (this.#waiting.length > 0 || (this.#isWholeWaiting && !this.#isBroken)) {
      const updates = this.#waiting.splice(0);
      if (this.#sinceMeasured > STEP_BYTES && !this.#isBroken) this.#measure();
      try {
        if (this.#isWholeWaiting && !this.#isBroken) {
          this.#isWholeWaiting = false;
          await this.#keepState(true);
        } else if (updates.length > 0) {
          const update = Y.mergeUpdates(updates);
          this.#kept += update.length;
          await this.#persistence.append(this.name, update);
        }
        const isTooLong = this.#kept > STEP_BYTES && this.#kept > 2 * this.#bytes;
        if (isTooLong && !this.#isBroken) await this.#keepState(false);
        this.#hasFailed = false;
      } catch (error) {
        if (!this.#hasFailed)
          log('error', 'document-not-kept', { document: this.name, message: String(error) });
        this.#hasFailed = true;
        this.#isWholeWaiting = true;
        if (this.#isBroken) break;
        await delay(KEEP_AGAIN_MS, undefined, { ref: false });
      }
    }
    // Its clients still have that, and bring it when they come back.
    if (this.#isBroken && this.#isWholeWaiting)
      log('error', 'document-not-kept', { document: this.name, message: 'it broke before it was' });
  }

  async #keepState(isNew: boolean): Promise<void> {
    const state = this.since();
    // A new one may be kept beside what was.
    this.#kept = isNew ? this.#kept + state.length : state.length;
    await this.#persistence.replace(this.name, state, isNew);
  }
}
