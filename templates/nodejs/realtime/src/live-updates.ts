import { z } from 'zod';
import type { Application, Context } from './application.ts';
import type { Client } from './client.ts';
import { DocumentError, Documents } from './documents.ts';
import type { Snapshot } from './documents.ts';
import { encode, frameOf } from './frame.ts';
import type { Frame } from './frame.ts';
import { start } from './handlers/documents.ts';
// #if auth
import { forbidden } from './hooks.ts';
// #endif
import { problem, readJson } from './http.ts';
import type { HttpAnswer, HttpRequest, Route } from './http.ts';
import { LIVE_MESSAGES, LiveCommand } from './live-messages.ts';
import type { LiveMessage } from './live-messages.ts';
import { COMMON_FEATURES } from './messages.ts';
import type { AnyMessage } from './messages.ts';
import { refusePublisher } from './publisher.ts';
// #if redis
import { settle, StoreFull } from './redis-link.ts';
// #endif
import type { Position } from './store.ts';

type CommandOf<Type extends LiveCommand['type']> = Extract<LiveCommand, { type: Type }>;

/** Cost of a watch in messages of the rate limit: the reply may hold a whole document. */
const WATCH_COST = 10;
// #if redis
/** Milliseconds after which documents are created that could not be. */
const START_AGAIN_MS = 1000;
// #endif
/** Bytes of the largest body over HTTP. */
const MAX_BODY = 65_536;

/** One client that watches one document. */
interface Watch {
  readonly client: Client;
  /** Whether patches were left out: it gets one snapshot as soon as it has read the rest. */
  isBehind: boolean;
}

/** Sends the changes of documents to who watches them. */
export class LiveUpdates implements Application {
  readonly subprotocol = 'live-updates.v1';
  readonly features = ['resume', ...COMMON_FEATURES];
  readonly commands = LiveCommand;
  readonly messages = LIVE_MESSAGES;
  readonly routes: readonly Route[] = (['GET', 'PUT', 'PATCH', 'DELETE'] as const).map(
    (method) => ({
      method,
      path: /^\/documents\/([^/]+)$/,
      maxBody: MAX_BODY,
      answer: (request, [name = '']) => this.#answer(request, method, name),
    }),
  );
  readonly #context: Context;
  readonly #documents: Documents;
  /** By document, and by client. */
  readonly #watches = new Map<string, Map<Client, Watch>>();
  readonly #names = new Map<Client, Set<string>>();

  constructor(context: Context) {
    this.#context = context;
    this.#documents = new Documents(context.config, context.store);
    this.#documents.watcher = {
      onPatch: (snapshot, patch) => {
        this.#spread(snapshot, patch);
      },
      onRemoved: (name) => {
        const removed = encode({ type: 'removed', document: name } as AnyMessage);
        for (const client of this.#watches.get(name)?.keys() ?? []) {
          client.deliver(removed);
          this.#end(client, name);
        }
      },
      // #if redis
      onReplaced: (snapshot) => {
        this.#replace(snapshot);
      },
      isWatched: (name) => this.#watches.has(name),
      // #endif
    };
  }

  async start(): Promise<void> {
    // #if redis
    try {
      await start(this.#documents, this.#context.config.DEMO);
    } catch (error) {
      const isDown = error instanceof DocumentError && error.status === 503;
      if (!isDown && !(error instanceof StoreFull)) throw error;
      // They will be there when Redis is, or has space.
      setTimeout(() => {
        settle(this.start());
      }, START_AGAIN_MS).unref();
    }
    // #else
    //~ await start(this.#documents, this.#context.config.DEMO);
    // #endif
  }

  // #if metrics
  get roomCount(): number {
    return this.#watches.size;
  }

  // #endif
  receive(client: Client, command: LiveCommand): void | Promise<void> {
    if (command.type === 'watch') return this.#watch(client, command);
    const { id, document } = command;
    if (this.#end(client, document)) send(client, { type: 'unwatched', id, document });
    else client.fail(command, 'not_watching', `not watching ${document}`);
  }

  costOf(command: LiveCommand): number {
    return command.type === 'watch' ? WATCH_COST : 1;
  }

  // #if auth

  async refresh(client: Client): Promise<void> {
    const { identity } = client;
    const closed = await forbidden([...(this.#names.get(client) ?? [])], (name) =>
      this.#context.authorize({ identity, action: 'watch', name }),
    );
    for (const document of closed) {
      if (!this.#end(client, document)) continue;
      send(client, { type: 'unwatched', document, code: 'forbidden' });
    }
  }
  // #endif

  close(client: Client): void {
    for (const name of this.#names.get(client) ?? []) this.#end(client, name);
  }

  async #watch(client: Client, command: CommandOf<'watch'>): Promise<void> {
    const { id, document: name, since } = command;
    const access = { identity: client.identity, action: 'watch', name } as const;
    if (!(await this.#context.authorize(access))) {
      client.fail(command, 'forbidden', `you may not watch ${name}`);
      return;
    }
    // In its turn: nothing is changed between the reply and the first patch after it.
    await this.#documents.turn(name, async () => {
      // #if redis
      await this.#documents.open(name);
      // #endif
      const recovery = await this.#documents.recover(name, since);
      const snapshot = this.#documents.get(name);
      if (!client.isOpen) return;
      if (snapshot === undefined) {
        client.fail(command, 'no_such_document', `there is no document ${name}`);
        return;
      }
      if (!this.#begin(client, name)) {
        client.fail(command, 'too_many_watches', 'unwatch another document first');
        return;
      }
      const { position, text } = snapshot;
      const { entries } = recovery;
      // #if redis
      // It may have been changed elsewhere since.
      const isUpTo =
        recovery.position.epoch === position.epoch && recovery.position.offset === position.offset;
      const recovered = recovery.recovered && isUpTo;
      // #else
      //~ const { recovered } = recovery;
      // #endif
      // #if metrics
      if (since !== undefined) this.#context.metrics.recovered(recovered);
      // #endif
      const head = JSON.stringify({ type: 'watching', id, document: name, position, recovered });
      const patches = entries.map(
        ({ offset, data }) => `{"offset":${String(offset)},"patch":${data}}`,
      );
      const rest = recovered ? `"patches":[${patches.join(',')}]` : `"data":${text}`;
      client.deliver(frameOf(`${head.slice(0, -1)},${rest}}`));
    });
  }

  /** False if it watches too many. */
  #begin(client: Client, name: string): boolean {
    const names = this.#names.get(client) ?? new Set();
    if (!names.has(name) && names.size >= this.#context.config.MAX_WATCHES_PER_CLIENT) return false;
    this.#names.set(client, names.add(name));
    const watches = this.#watches.get(name) ?? new Map<Client, Watch>();
    this.#watches.set(name, watches.set(client, { client, isBehind: false }));
    client.onDrained = () => {
      this.#catchUp(client);
    };
    return true;
  }

  #end(client: Client, name: string): boolean {
    const names = this.#names.get(client);
    const watches = this.#watches.get(name);
    if (names?.delete(name) !== true) return false;
    if (names.size === 0) this.#names.delete(client);
    watches?.delete(client);
    if (watches?.size === 0) this.#watches.delete(name);
    return true;
  }

  /** A patch to all who read fast enough; the whole document where that is less. */
  #spread(snapshot: Snapshot, patch: string): void {
    const watches = this.#watches.get(snapshot.name);
    if (watches === undefined) return;
    const { name, position, text } = snapshot;
    const isLarge = Buffer.byteLength(patch) > Buffer.byteLength(text);
    const start = JSON.stringify({ type: 'patch', document: name, offset: position.offset });
    const frame = isLarge
      ? snapshotFrame(snapshot)
      : frameOf(`${start.slice(0, -1)},"patch":${patch}}`);
    for (const watch of watches.values()) {
      if (watch.isBehind) continue;
      if (watch.client.hasSpaceFor(frame)) watch.client.deliver(frame);
      else watch.isBehind = true;
    }
  }

  // #if redis
  /** The whole document to all who watch it. */
  #replace(snapshot: Snapshot): void {
    const frame = snapshotFrame(snapshot);
    for (const watch of this.#watches.get(snapshot.name)?.values() ?? []) {
      if (watch.isBehind) continue;
      if (watch.client.hasSpaceFor(frame)) watch.client.deliver(frame);
      else watch.isBehind = true;
    }
  }

  // #endif
  /** Its client has read everything: one document that it is behind with is sent anew. */
  #catchUp(client: Client): void {
    for (const name of this.#names.get(client) ?? []) {
      const watch = this.#watches.get(name)?.get(client);
      const snapshot = this.#documents.get(name);
      if (watch?.isBehind !== true || snapshot === undefined) continue;
      watch.isBehind = false;
      client.deliver(snapshotFrame(snapshot));
      return;
    }
  }

  /** `/documents/<name>`. */
  async #answer(
    request: HttpRequest,
    method: 'GET' | 'PUT' | 'PATCH' | 'DELETE',
    name: string,
  ): Promise<HttpAnswer> {
    const refusal = refusePublisher(request, this.#context.config);
    if (refusal !== undefined) return refusal;
    try {
      return await this.#call(request, method, name);
    } catch (error) {
      if (error instanceof DocumentError) return problem(error.status, error.message);
      throw error;
    }
  }

  async #call(request: HttpRequest, method: string, name: string): Promise<HttpAnswer> {
    const expected = request.headers['if-match']?.replace(/^"(.*)"$/, '$1');
    const missing = problem(404, `there is no document ${name}`);
    if (method === 'GET') {
      const snapshot = await this.#documents.open(name);
      if (snapshot === undefined) return missing;
      const { position, data } = snapshot;
      return answer(position, { position, data });
    }
    if (method === 'DELETE') {
      const { position } = (await this.#documents.open(name)) ?? {};
      const isRemoved = await this.#documents.remove(name, expected);
      return isRemoved ? { status: 200, body: { position } } : missing;
    }
    const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
    if (method === 'PATCH' && type !== 'application/json-patch+json') {
      return problem(415, 'expected application/json-patch+json', {
        'Accept-Patch': 'application/json-patch+json',
      });
    }
    const read = readJson(request, z.unknown());
    if ('error' in read) return problem(400, read.error);
    const position =
      method === 'PUT'
        ? await this.#documents.put(name, read.value, expected)
        : await this.#documents.patch(name, read.value, expected);
    return answer(position, { position });
  }
}

function answer(position: Position, body: object): HttpAnswer {
  const tag = `"${position.epoch}:${String(position.offset)}"`;
  return { status: 200, headers: { ETag: tag }, body };
}

function snapshotFrame({ name, position, text }: Snapshot): Frame {
  const head = JSON.stringify({ type: 'snapshot', document: name, position });
  return frameOf(`${head.slice(0, -1)},"data":${text}}`);
}

function send(client: Client, message: LiveMessage): void {
  client.send(message);
}
