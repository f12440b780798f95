import { createDecoder, readVarString, readVarUint, readVarUint8Array } from 'lib0/decoding';
import { createEncoder, toUint8Array, writeVarUint, writeVarUint8Array } from 'lib0/encoding';
import {
  applyAwarenessUpdate,
  Awareness,
  encodeAwarenessUpdate,
  removeAwarenessStates,
} from 'y-protocols/awareness';
import { applyUpdate, encodeStateAsUpdate, encodeStateVector } from 'yjs';
import type { Doc } from 'yjs';
import { Connection, errorOf } from './connection.ts';
import type { ConnectionOptions, State } from './connection.ts';
import { Emitter } from './emitter.ts';
import { ClientError } from './messages.ts';

/** Types of messages: https://github.com/yjs/y-protocols/blob/master/PROTOCOL.md. */
const MESSAGES = { sync: 0, awareness: 1, auth: 2, queryAwareness: 3 };
/** What a message of the type `sync` is. */
const STEPS = { vector: 0, rest: 1, update: 2 };

export interface CollabOptions extends Omit<ConnectionOptions, 'url'> {
  /** Default: one of its own, which `destroy` ends. */
  readonly awareness?: Awareness;
  /** Whether to connect at once; the default. */
  readonly connect?: boolean;
}

export interface CollabEvents {
  state: State;
  /** The document holds what the server had when this connection began; false: the connection is gone. */
  synced: boolean;
  /** The server has not taken what was written: `read only`, `forbidden`, `the document is full`. */
  denied: string;
  /** What belongs to no promise: getToken failed, the server complains. */
  error: ClientError;
}

/** Keeps a Yjs document the same as that of a collab server, over reconnects; what is done without a connection is merged. */
export class CollabProvider extends Emitter<CollabEvents> {
  readonly doc: Doc;
  readonly awareness: Awareness;
  readonly #connection: Connection;
  readonly #ownsAwareness: boolean;
  /** What `synced` has said last. */
  #wasSynced = false;

  /** `url` is that of the server with `/collab`, for example `ws://localhost:8080/collab`. */
  constructor(url: string, documentName: string, doc: Doc, options: CollabOptions = {}) {
    super();
    const { awareness, connect = true, ...rest } = options;
    this.doc = doc;
    this.awareness = awareness ?? new Awareness(doc);
    this.#ownsAwareness = awareness === undefined;
    const [, path = '', query = ''] = /^([^?]*?)\/*(\?.*)?$/.exec(url) ?? [];
    const target = `${path}/${encodeURIComponent(documentName)}${query}`;
    this.#connection = new Connection(
      { subprotocols: ['collab.v1'], ...rest, url: target },
      {
        state: (state) => this.#changed(state),
        welcome: () => this.#welcome(),
        message: (message) => {
          if (message['type'] === 'error') this.emit('error', errorOf(message));
        },
        binary: (bytes) => this.#receive(bytes),
        down: () => undefined,
        error: (error) => this.emit('error', error),
      },
    );
    doc.on('update', this.#updated);
    this.awareness.on('update', this.#moved);
    if (connect) this.connect();
  }

  get state(): State {
    return this.#connection.state;
  }

  get synced(): boolean {
    return this.state.name === 'open';
  }

  /** Whether the server has welcomed: earlier it takes nothing. */
  get #isWelcome(): boolean {
    return this.synced || this.state.name === 'resuming';
  }

  /** Connects, and stays connected until `disconnect` or `destroy`. */
  connect(): void {
    this.#connection.connect();
  }

  /** Goes offline: `connect` brings what is done meanwhile. */
  disconnect(): void {
    this.#connection.close();
  }

  /** Gives up this connection and makes another: for tests and demonstrations. */
  reconnect(): void {
    this.#connection.restart('reconnect() was called');
  }

  /** Ends the connection for good, and lets go of the document. */
  destroy(): void {
    const { awareness } = this;
    if (this.#ownsAwareness) removeAwarenessStates(awareness, [awareness.clientID], 'destroy');
    this.#connection.close();
    this.doc.off('update', this.#updated);
    awareness.off('update', this.#moved);
    if (this.#ownsAwareness) awareness.destroy();
  }

  readonly #updated = (update: Uint8Array, origin: unknown): void => {
    if (origin !== this && this.#isWelcome) this.#sync(STEPS.update, update);
  };

  readonly #moved = (
    { added, updated, removed }: Record<'added' | 'updated' | 'removed', number[]>,
    origin: unknown,
  ): void => {
    // Others say themselves where they are, and the server who has gone.
    const isOwn = [...added, ...updated, ...removed].includes(this.awareness.clientID);
    if (origin !== this && isOwn) this.#sayWhere();
  };

  #sayWhere(): void {
    const { awareness } = this;
    // Not that of `doc`, which may take another; and who gives an awareness may have it of another document.
    const { clientID } = awareness;
    if (!this.#isWelcome || !awareness.meta.has(clientID)) return;
    this.#send(MESSAGES.awareness, encodeAwarenessUpdate(awareness, [clientID]));
  }

  #welcome(): void {
    this.#connection.setResumed(false);
    this.#sync(STEPS.vector, encodeStateVector(this.doc));
    const { awareness } = this;
    const own = awareness.getLocalState();
    // Its clock counts on: the others take nothing of who has gone without that. `#moved` sends it.
    if (own !== null) awareness.setLocalState(own);
  }

  #receive(bytes: Uint8Array): void {
    try {
      this.#take(bytes);
    } catch (cause) {
      // Or a handler of the program has thrown, of an event of the document.
      this.emit('error', new ClientError('bad_message', 'malformed message', { cause }));
      // It may have been an update: only a new connection can tell.
      this.#connection.restart('malformed message');
    }
  }

  #take(bytes: Uint8Array): void {
    const decoder = createDecoder(bytes);
    switch (readVarUint(decoder)) {
      case MESSAGES.sync: {
        const step = readVarUint(decoder);
        const content = readVarUint8Array(decoder);
        if (step === STEPS.vector) this.#sync(STEPS.rest, encodeStateAsUpdate(this.doc, content));
        else applyUpdate(this.doc, content, this);
        if (step === STEPS.rest) this.#connection.setResumed(true);
        return;
      }
      case MESSAGES.awareness:
        applyAwarenessUpdate(this.awareness, readVarUint8Array(decoder), this);
        return;
      case MESSAGES.queryAwareness:
        this.#sayWhere();
        return;
      case MESSAGES.auth:
        if (readVarUint(decoder) === 0) this.emit('denied', readVarString(decoder));
    }
  }

  /** Handlers may call whatever there is: what is done after one goes by the state that it has left. */
  #changed(state: State): void {
    this.emit('state', state);
    if (['waiting', 'closed'].includes(state.name)) this.#forgetOthers();
    if (this.#wasSynced === this.synced) return;
    this.#wasSynced = this.synced;
    this.emit('synced', this.synced);
  }

  #forgetOthers(): void {
    const { awareness } = this;
    const others = [...awareness.getStates().keys()].filter((id) => id !== awareness.clientID);
    removeAwarenessStates(awareness, others, this);
    // Who has not moved meanwhile comes back with the same clock, which would be no news.
    for (const id of others) awareness.meta.delete(id);
  }

  #sync(step: number, content: Uint8Array): void {
    this.#send(MESSAGES.sync, content, step);
  }

  #send(type: number, content: Uint8Array, step?: number): void {
    const encoder = createEncoder();
    writeVarUint(encoder, type);
    if (step !== undefined) writeVarUint(encoder, step);
    writeVarUint8Array(encoder, content);
    this.#connection.sendBinary(toUint8Array(encoder));
  }
}
