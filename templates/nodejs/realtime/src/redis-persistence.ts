import { randomBytes } from 'node:crypto';
import type { Config } from './config.ts';
import type { Others, Persistence } from './persistence.ts';
import { RedisDown, report, script, settle } from './redis-link.ts';
import type { RedisLink } from './redis-link.ts';
import { encodeStates, readStates } from './yjs-messages.ts';
import type { AwarenessState } from './yjs-messages.ts';

const APPEND = script('collab-append');
const READ = script('collab-read');
const COMPACT = script('collab-compact');

/** A document that this server has open, and the last update that it has with all before. */
interface Open {
  users: number;
  /** Empty: nothing has been kept of it. Undefined: not known yet. */
  epoch: string | undefined;
  last: number;
  readonly onMessage: (message: string) => void;
}

/** Keeps documents in a Redis, through which servers also tell each other what is done to them. */
export class RedisPersistence implements Persistence {
  others: Others | undefined;
  readonly #link: RedisLink;
  readonly #checkMs: number;
  /** Who this server is to others. */
  readonly #id = randomBytes(8).toString('hex');
  readonly #open = new Map<string, Open>();

  constructor(config: Config, link: RedisLink) {
    this.#link = link;
    this.#checkMs = config.POSITION_CHECK;
    link.onUp(async () => {
      await Promise.all([...this.#open.keys()].map((name) => this.#join(name)));
    });
  }

  start(): Promise<void> {
    setInterval(() => {
      for (const name of this.#open.keys()) settle(this.#catchUp(name));
    }, this.#checkMs).unref();
    return Promise.resolve();
  }

  async load(name: string): Promise<readonly Uint8Array[]> {
    const known = this.#open.get(name);
    const onMessage = (message: string): void => {
      this.#hear(name, message);
    };
    const open = known ?? { users: 0, epoch: undefined, last: 0, onMessage };
    open.users += 1;
    this.#open.set(name, open);
    // A document of its own begins while Redis is away; both become one when it is back.
    await this.#join(name).catch(async (error: unknown) => {
      if (error instanceof RedisDown) return;
      await this.release(name);
      throw error;
    });
    return [];
  }

  async append(name: string, update: Uint8Array): Promise<void> {
    const args = [newEpoch(), this.#id, Buffer.from(update).toString('base64')];
    await this.#link.run(APPEND, this.#keys(name), args);
  }

  async replace(name: string, state: Uint8Array, isNew: boolean): Promise<void> {
    if (isNew) await this.append(name, state);
    const open = this.#open.get(name);
    if (open === undefined || isNew) return;
    const args = [open.epoch ?? '', open.last, Buffer.from(state).toString('base64')];
    await this.#link.run(COMPACT, this.#keys(name), args);
  }

  async release(name: string): Promise<void> {
    const open = this.#open.get(name);
    if (open === undefined) return;
    open.users -= 1;
    if (open.users > 0) return;
    this.#open.delete(name);
    await this.#link.unsubscribe(this.#channel(name), open.onMessage);
  }

  announce(name: string, states: readonly AwarenessState[]): void {
    this.#say(name, `a ${this.#id} ${Buffer.from(encodeStates(states)).toString('base64')}`);
  }

  /** Hears of everything from now on, and gets what was before. */
  async #join(name: string): Promise<void> {
    const open = this.#open.get(name);
    if (open === undefined) return;
    await this.#link.subscribe(this.#channel(name), open.onMessage);
    await this.#catchUp(name);
    this.#say(name, `q ${this.#id}`);
    this.#answer(name);
  }

  async #catchUp(name: string): Promise<void> {
    const open = this.#open.get(name);
    if (open === undefined) return;
    const before = open.epoch;
    const args = [newEpoch(), before ?? '', open.last];
    const reply = await this.#link.run(READ, this.#keys(name), args);
    const [epoch, seq, ...updates] = reply as [string, number, ...string[]];
    // What was kept first has been heard since.
    if (epoch === '' && open.epoch !== before) return;
    for (const update of updates) this.others?.onUpdate(name, Buffer.from(update, 'base64'));
    const isOther = epoch !== before;
    open.last = isOther ? seq : Math.max(open.last, seq);
    open.epoch = epoch;
    // What was lost with the last epoch is here, or at another server, which does the same.
    if (isOther && before !== undefined) this.others?.onLost(name);
  }

  #hear(name: string, message: string): void {
    const [type, server = '', ...rest] = message.split(' ');
    const open = this.#open.get(name);
    if (open === undefined) return;
    if (type === 'u') {
      const [epoch, seq, update = ''] = rest;
      if (server !== this.#id) this.others?.onUpdate(name, Buffer.from(update, 'base64'));
      // Known at once: Redis may be lost before it could be asked.
      if (open.epoch === '' && seq === '1') open.epoch = epoch;
      if (epoch === open.epoch && Number(seq) <= open.last + 1) {
        open.last = Math.max(open.last, Number(seq));
      } else settle(this.#catchUp(name));
    } else if (server === this.#id) return;
    else if (type === 'a') {
      try {
        this.others?.onStates(name, server, readStates(Buffer.from(rest[0] ?? '', 'base64')));
      } catch (error) {
        // It may have other limits. From here it would end the connection to Redis.
        report(error);
      }
    } else this.#answer(name);
  }

  /** Tells others who is here. */
  #answer(name: string): void {
    const states = this.others?.statesOf(name) ?? [];
    if (states.length > 0) this.announce(name, states);
  }

  #say(name: string, message: string): void {
    settle(this.#link.command('SPUBLISH', this.#channel(name), message));
  }

  #channel(name: string): string {
    return `${this.#link.prefix}:collab:${name}`;
  }

  #keys(name: string): readonly string[] {
    const channel = this.#channel(name);
    return [`${channel}:meta`, `${channel}:updates`, channel];
  }
}

function newEpoch(): string {
  return randomBytes(8).toString('hex');
}
