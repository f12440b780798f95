import { Client } from './client.ts';
import type { ClientOptions } from './client.ts';
import { applyPatch } from './json-patch.ts';
import type { Json, PatchOperation } from './json-patch.ts';
import { isPosition } from './messages.ts';
import type { Incoming, Position } from './messages.ts';
import { Stream } from './stream.ts';
import type { StreamEvents } from './stream.ts';

/** What a document has become. */
export interface Change<Data = Json> {
  readonly data: Data;
  /** Absent: the whole was sent. */
  readonly patch?: readonly PatchOperation[];
  readonly offset: number;
}

export interface DocumentEvents<Data> extends StreamEvents {
  change: Change<Data>;
  removed: undefined;
}

/** A document of the server, kept up to date. */
export class LiveDocument<Data = Json> extends Stream<DocumentEvents<Data>> {
  #data: Json | undefined;
  /** A patch did not apply: only the whole document helps. */
  #isBroken = false;

  /** Undefined: it has not come yet, or was removed. Never changed in place. */
  get data(): Data | undefined {
    return this.#data as Data | undefined;
  }

  override get since(): Position | undefined {
    return this.#isBroken || this.#data === undefined ? undefined : super.since;
  }

  override accept(reply: Incoming): void {
    super.accept(reply);
    if (this.#isBroken && this.status === 'joined') this.ask(undefined);
  }

  /** Takes the whole document, in place of patches: only its newest state counts, so nothing is lost. */
  replace(event: Incoming): void {
    const { position, data } = event;
    if (this.status !== 'joined' || !isPosition(position) || data === undefined) return;
    const { offset = -1, epoch } = super.since ?? {};
    if (position.epoch !== epoch) {
      super.asked(undefined);
      this.accept(event);
    } else if (position.offset > offset) {
      this.passed(position.offset);
      this.#set(data as Json, position.offset);
    }
  }

  remove(): void {
    this.#data = undefined;
    this.emit('removed', undefined);
  }

  protected override listOf({ recovered, patches }: Incoming): readonly Incoming[] {
    return recovered === true && Array.isArray(patches) ? (patches as Incoming[]) : [];
  }

  protected override restore(
    reply: Incoming,
    position: Position | undefined,
    since: Position | undefined,
  ): number | undefined {
    const { data } = reply;
    this.#isBroken = data === undefined;
    // Patches with a gap: the whole document is asked for, once.
    if (data === undefined && since === undefined) this.owner.restart('there is no document');
    if (data !== undefined) this.#set(data as Json, position?.offset ?? 0);
    return position?.offset;
  }

  protected give({ offset, patch }: Incoming): void {
    if (this.#isBroken) return;
    try {
      if (this.#data === undefined) throw new Error('there is no document');
      const operations = patch as readonly PatchOperation[];
      this.#set(applyPatch(this.#data, operations), offset as number, operations);
    } catch {
      this.#isBroken = true;
      this.ask(undefined);
    }
  }

  #set(data: Json, offset: number, patch?: readonly PatchOperation[]): void {
    this.#data = data;
    const change = { data: data as Data, offset, ...(patch !== undefined && { patch }) };
    this.emit('change', change);
  }
}

const WORDS = {
  join: 'watch',
  joined: 'watching',
  leave: 'unwatch',
  left: 'unwatched',
  name: 'document',
};

/** A client of a live-updates server. `Documents` maps names to what the documents hold. */
export class LiveUpdatesClient<Documents extends object = Record<string, Json>> extends Client<
  LiveDocument<never>
> {
  constructor(options: ClientOptions) {
    super({ subprotocols: ['live-updates.v1'], ...options }, WORDS);
  }

  /** Keeps `document` up to date, over reconnects, until `leave` of what is returned. */
  watch<Name extends keyof Documents & string>(document: Name): LiveDocument<Documents[Name]> {
    const stream = this.open(document, () => new LiveDocument<never>(document, this.owner));
    return stream.retain();
  }

  protected override get alwaysResumes(): boolean {
    return true;
  }

  protected receive(message: Incoming): void {
    const stream = this.streams.get(String(message['document']));
    if (message['type'] === 'patch') stream?.handle(message);
    if (message['type'] === 'snapshot') stream?.replace(message);
    if (message['type'] === 'removed') stream?.remove();
  }
}
