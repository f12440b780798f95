import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Application, Context } from './application.ts';
import type { Bringer } from './awareness.ts';
import type { Client } from './client.ts';
import { DiskPersistence } from './disk-persistence.ts';
import type { Frame } from './frame.ts';
// #if redis
import { log } from './log.ts';
// #endif
import { COMMON_COMMANDS, COMMON_FEATURES } from './messages.ts';
import { DOCUMENTS_SHARE, MemoryPersistence } from './persistence.ts';
import type { Persistence } from './persistence.ts';
// #if redis
import { RedisPersistence } from './redis-persistence.ts';
// #endif
import { DocumentBroken, DocumentFull, DocumentsFull, SharedDocument } from './shared-document.ts';
import type { Space } from './shared-document.ts';
import {
  awarenessOf,
  Malformed,
  permissionDenied,
  readMessage,
  stepOne,
  stepTwo,
  UnknownMessage,
  updateOf,
} from './yjs-messages.ts';
import type { AwarenessState } from './yjs-messages.ts';

/** Cost of a message in messages of the rate limit whose answer may be a whole document. */
const STEP_1_COST = 10;
/**
 * Milliseconds between two looks at who is there. y-websocket takes a connection for dead that brings nothing
 * for 30 s, and sees no pings: it gets a message without states.
 */
const SWEEP_MS = 10_000;

/** Over which errors a client is closed, and why. */
const FAULTS = [
  [UnknownMessage, 'unknownMessage'],
  [Malformed, 'malformed'],
  [DocumentFull, 'documentFull'],
  [DocumentsFull, 'outOfMemory'],
  [DocumentBroken, 'internalError'],
] as const;

/** A document that is open or about to be, and how many clients keep it open. */
interface Opened {
  readonly document: SharedDocument;
  readonly ready: Promise<void>;
  readonly seats: Map<Client, Seat>;
  users: number;
  /** Nobody may enter any more. */
  isBroken: boolean;
}

/** One client at one document. */
interface Seat {
  readonly opened: Opened;
  readonly by: Bringer;
  mayWrite: boolean;
}

/** Lets clients edit documents together: the protocol of y-websocket. */
export class Collab implements Application {
  readonly subprotocol = 'collab.v1';
  readonly features = COMMON_FEATURES;
  readonly commands = z.discriminatedUnion('type', COMMON_COMMANDS);
  readonly messages = [];
  readonly #context: Context;
  readonly #persistence: Persistence;
  readonly #space: Space;
  readonly #opened = new Map<string, Opened>();
  readonly #seats = new Map<Client, Seat>();
  // #if redis
  readonly #servers = new Map<string, Bringer>();
  // #endif
  #sweeping: NodeJS.Timeout | undefined;

  constructor(context: Context) {
    this.#context = context;
    const { config } = context;
    this.#space = { limit: config.MEMORY_BUDGET * DOCUMENTS_SHARE, bytes: 0 };
    this.#persistence = context.persistence ?? persistenceOf(context);
    // #if redis
    this.#persistence.others = {
      onUpdate: (name, update) => {
        const opened = this.#opened.get(name);
        if (opened === undefined || opened.isBroken) return;
        try {
          this.#spread(opened, opened.document.merge(update).map(updateOf));
        } catch (error) {
          log('error', 'update-failed', { document: name, message: String(error) });
          this.#abandon(opened);
        }
      },
      onLost: (name) => this.#opened.get(name)?.document.keepWhole(),
      onStates: (name, server, states) => {
        const opened = this.#opened.get(name);
        if (opened === undefined) return;
        const by = this.#servers.get(server) ?? { isElsewhere: true };
        this.#servers.set(server, by);
        this.#show(opened, opened.document.awareness.take(states, by, Infinity));
      },
      statesOf: (name) => this.#opened.get(name)?.document.awareness.own ?? [],
    };
    // #endif
  }

  async start(): Promise<void> {
    await this.#persistence.start?.();
    this.#sweeping = setInterval(() => {
      this.#sweep();
    }, SWEEP_MS).unref();
  }

  // #if metrics
  get roomCount(): number {
    return this.#opened.size;
  }

  // #endif
  async open(client: Client): Promise<void> {
    const right = await this.#rightOf(client);
    if (!client.isOpen) return;
    if (right === 'none') {
      refuse(client);
      return;
    }
    const opened = await this.#enter(client);
    if (opened === undefined) return;
    // #if auth
    const by = { user: client.user };
    // #else
    //~ const by = {};
    // #endif
    const seat: Seat = { opened, by, mayWrite: right === 'write' };
    this.#seats.set(client, seat);
    opened.seats.set(client, seat);
    const { document } = opened;
    client.deliver(stepOne(document.vector));
    const { states } = document.awareness;
    if (states.length > 0) client.deliver(awarenessOf(states));
  }

  // #if auth
  async refresh(client: Client): Promise<void> {
    const right = await this.#rightOf(client);
    const seat = this.#seats.get(client);
    if (seat !== undefined) seat.mayWrite = right === 'write';
    if (right === 'none') refuse(client);
  }

  // #endif
  receive(): void {
    // It has no commands of its own.
  }

  receiveBinary(client: Client, bytes: Buffer): number {
    const seat = this.#seats.get(client);
    if (seat === undefined) return 1;
    try {
      return this.#take(client, seat, bytes);
    } catch (error) {
      const why = FAULTS.find(([kind]) => error instanceof kind)?.[1];
      if (why === undefined) throw error;
      // What errors say may hold a part of the message.
      client.share.log('warn', 'message-refused', { client: client.id, why });
      if (why === 'internalError') this.#abandon(seat.opened);
      if (why === 'documentFull') client.deliver(permissionDenied('the document is full'));
      client.close(why);
      return 1;
    }
  }

  close(client: Client): void {
    const seat = this.#seats.get(client);
    if (seat === undefined) return;
    this.#seats.delete(client);
    const { opened, by } = seat;
    opened.seats.delete(client);
    this.#announce(opened, opened.document.awareness.leave(by));
    this.#leave(opened);
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweeping);
    const flushed = [...this.#opened.values()].map(({ document }) => document.flush());
    // What cannot be kept must not keep the process.
    const limit = delay(this.#context.config.DRAIN_TIMEOUT, undefined, { ref: false });
    await Promise.race([Promise.all(flushed), limit]);
  }

  /** What it has cost, in messages. */
  #take(client: Client, seat: Seat, bytes: Buffer): number {
    const { opened } = seat;
    const { document } = opened;
    const message = readMessage(bytes);
    // #if metrics
    this.#context.metrics.received(message.type);
    // #endif
    switch (message.type) {
      case 'sync-step-1':
        client.deliver(stepTwo(document.since(message.vector)));
        return STEP_1_COST;
      case 'query-awareness':
        client.deliver(awarenessOf(document.awareness.states));
        return 1;
      case 'awareness':
        // y-websocket waits for its own, too.
        this.#announce(opened, document.awareness.take(message.states, seat.by));
        return 1;
      default:
        this.#update(client, seat, message.update);
        return 1;
    }
  }

  #update(client: Client, { opened, mayWrite }: Seat, update: Uint8Array): void {
    // Without structs and deletions: the answer of who has nothing new.
    if (update.length === 2 && update[0] === 0 && update[1] === 0) return;
    if (!mayWrite) {
      client.deliver(permissionDenied('read only'), true);
      return;
    }
    this.#spread(opened, opened.document.apply(update).map(updateOf), client);
    // What it builds upon was lost on the way, or refused.
    if (opened.document.isWaiting()) client.deliver(stepOne(opened.document.vector));
  }

  /** Tells all who is there, or has gone. */
  #announce(opened: Opened, states: readonly AwarenessState[]): void {
    // #if redis
    if (states.length > 0) this.#persistence.announce?.(opened.document.name, states);
    // #endif
    this.#show(opened, states);
  }

  #show(opened: Opened, states: readonly AwarenessState[]): void {
    if (states.length === 0) return;
    for (const client of opened.seats.keys()) client.deliver(awarenessOf(states), true);
  }

  #spread(opened: Opened, frames: readonly Frame[], except?: Client): void {
    for (const client of opened.seats.keys()) {
      if (client !== except) for (const frame of frames) client.deliver(frame);
    }
  }

  async #rightOf({ identity, document: name }: Client): Promise<'none' | 'read' | 'write'> {
    const { authorize } = this.#context;
    if (await authorize({ identity, action: 'write', name })) return 'write';
    return (await authorize({ identity, action: 'read', name })) ? 'read' : 'none';
  }

  /** The document of `client`, which stays open until `#leave`; undefined if that is not possible. */
  async #enter(client: Client): Promise<Opened | undefined> {
    const name = client.document;
    let opened = this.#opened.get(name);
    if (opened === undefined) {
      const { config } = this.#context;
      const isFull = this.#space.bytes >= this.#space.limit;
      if (isFull || this.#opened.size >= config.MAX_DOCUMENTS) {
        const limit = isFull ? 'MEMORY_BUDGET' : 'MAX_DOCUMENTS';
        client.share.log('warn', 'document-refused', { client: client.id, document: name, limit });
        client.close(isFull ? 'outOfMemory' : 'tryAgainLater');
        return undefined;
      }
      const parts = { config, space: this.#space, persistence: this.#persistence };
      const document = new SharedDocument(name, parts);
      opened = { document, ready: document.load(), seats: new Map(), users: 0, isBroken: false };
      this.#opened.set(name, opened);
    }
    opened.users += 1;
    try {
      await opened.ready;
    } catch (error) {
      this.#forget(opened);
      throw error;
    }
    if (client.isOpen && !opened.isBroken) return opened;
    this.#leave(opened);
    client.close('tryAgainLater');
    return undefined;
  }

  /** Closes a document that nobody has open, as soon as it is kept. */
  #leave(opened: Opened): void {
    opened.users -= 1;
    if (opened.users > 0) return;
    void opened.document.flush().then(async () => {
      if (opened.users > 0 || this.#opened.get(opened.document.name) !== opened) return;
      this.#forget(opened);
      await this.#persistence.release(opened.document.name);
    });
  }

  #forget(opened: Opened): void {
    const { document } = opened;
    if (this.#opened.get(document.name) !== opened) return;
    this.#opened.delete(document.name);
    document.close();
  }

  /** Who comes back gets the document as it was kept. */
  #abandon(opened: Opened): void {
    opened.isBroken = true;
    for (const client of opened.seats.keys()) client.close('internalError');
  }

  #sweep(): void {
    for (const opened of this.#opened.values()) {
      this.#show(opened, opened.document.awareness.sweep());
      const nothing = awarenessOf([]);
      for (const client of opened.seats.keys()) if (client.isPlain) client.deliver(nothing, true);
    }
  }
}

function persistenceOf(context: Context): Persistence {
  const { config } = context;
  // #if redis
  if (context.redis !== undefined) return new RedisPersistence(config, context.redis);
  // #endif
  const { PERSISTENCE_DIR } = config;
  if (PERSISTENCE_DIR !== undefined) return new DiskPersistence(PERSISTENCE_DIR);
  return new MemoryPersistence(config);
}

function refuse(client: Client): void {
  client.deliver(permissionDenied('forbidden'));
  client.close('forbidden');
}
