import type { Config } from './config.ts';
// #if redis
import type { AwarenessState } from './yjs-messages.ts';
// #endif

/**
 * Where documents are kept while nobody has them open, and in case this process ends. A document is the
 * updates (of Yjs) that made it; to keep one twice, or a state that holds it, changes nothing.
 */
export interface Persistence {
  /** The server is about to listen. */
  start?(): Promise<void>;
  /** What was kept of a document, oldest first; nothing of one that there is not. */
  load(name: string): Promise<readonly Uint8Array[]>;
  /** Keeps one more update. Rejects if it cannot: the whole state has to follow then. */
  append(name: string, update: Uint8Array): Promise<void>;
  /** Keeps `state` instead of everything that it was made of. `isNew`: what it holds may not have been kept. */
  replace(name: string, state: Uint8Array, isNew: boolean): Promise<void>;
  /** Nobody has the document open any more. */
  release(name: string): Promise<void>;
  // #if redis
  /** Set by who wants to hear of other servers. */
  others?: Others | undefined;
  /** Tells other servers who is here. */
  announce?(name: string, states: readonly AwarenessState[]): void;
  // #endif
}
// #if redis

/** Gets what other servers do with documents that are open here. */
export interface Others {
  readonly onUpdate: (name: string, update: Uint8Array) => void;
  /** What was kept of it may be lost: all of it has to be kept again. */
  readonly onLost: (name: string) => void;
  readonly onStates: (name: string, server: string, states: readonly AwarenessState[]) => void;
  /** Who is here. */
  readonly statesOf: (name: string) => readonly AwarenessState[];
}
// #endif

/** Of all documents in memory, those that nobody has open included. */
export const DOCUMENTS_SHARE = 1 / 8;

/** Keeps documents until this process ends, the least recently used no longer than there is space. */
export class MemoryPersistence implements Persistence {
  readonly #config: Config;
  /** By document; those that were released last come last. */
  readonly #updates = new Map<string, Uint8Array[]>();
  /** How many have each document open. */
  readonly #open = new Map<string, number>();
  #bytes = 0;

  constructor(config: Config) {
    this.#config = config;
  }

  load(name: string): Promise<readonly Uint8Array[]> {
    this.#open.set(name, (this.#open.get(name) ?? 0) + 1);
    return Promise.resolve([...(this.#updates.get(name) ?? [])]);
  }

  append(name: string, update: Uint8Array): Promise<void> {
    const updates = this.#updates.get(name) ?? [];
    this.#updates.set(name, updates);
    updates.push(update);
    this.#bytes += update.length;
    return Promise.resolve();
  }

  replace(name: string, state: Uint8Array): Promise<void> {
    this.#remove(name);
    return this.append(name, state);
  }

  release(name: string): Promise<void> {
    const open = (this.#open.get(name) ?? 1) - 1;
    if (open > 0) this.#open.set(name, open);
    else this.#open.delete(name);
    const updates = this.#updates.get(name);
    this.#updates.delete(name);
    if (updates !== undefined) this.#updates.set(name, updates);
    const { MAX_DOCUMENTS, MEMORY_BUDGET } = this.#config;
    for (const other of this.#updates.keys()) {
      const isFine = this.#bytes <= MEMORY_BUDGET * DOCUMENTS_SHARE;
      if (isFine && this.#updates.size <= MAX_DOCUMENTS) break;
      if (!this.#open.has(other)) this.#remove(other);
    }
    return Promise.resolve();
  }

  #remove(name: string): void {
    for (const { length } of this.#updates.get(name) ?? []) this.#bytes -= length;
    this.#updates.delete(name);
  }
}
