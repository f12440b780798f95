import { randomBytes } from 'node:crypto';
import type { ConnectionEvent } from '../protocol/index.ts';
import type { Channel } from '../transport/index.ts';
import { Exchange, describeClose } from './exchange.ts';
import type { Form } from './exchange.ts';
import { RowFailure } from './terms.ts';
import { Rule, TEXT, difference, isObject, same, show } from './shape.ts';
import type { Message, Shape } from './shape.ts';

/** Types of messages that are no reply, though some carry an `id`. */
const EVENTS: ReadonlySet<unknown> = new Set(['message', 'event']);

/** The ids of a run are unique: a server may remember those of another connection. */
const RUN = randomBytes(4).toString('hex');
let lastId = 0;

export function newId(): string {
  lastId += 1;
  return `${RUN}-${lastId}`;
}

export const OBJECTS: Form = { what: 'one JSON object', fits: isObject };

/** One connection of a row to a server of ours. */
export class Client extends Exchange<Message> {
  /** The user that it connected as; what the server made of it is in `welcome`. */
  readonly user: string;
  welcome: Message = {};
  /** Whether something was forbidden, or had to be: who may do what is a matter of rules. */
  meetsRules = false;
  /** Time for what must not come from servers that share what they have. */
  readonly #lagMs: number;

  constructor(channel: Channel, user: string, leftMs: () => number, lagMs = 0) {
    super(channel, leftMs, OBJECTS);
    this.user = user;
    this.#lagMs = lagMs;
  }

  /** The next message of a type, whose fields have to be as in `shape`. */
  async expect(type: string, shape: Shape = {}, where: Shape = {}): Promise<Message> {
    const message = await this.take(
      `${JSON.stringify(type)} ${show({ ...where, ...describe(shape) })}`,
      (seen) => seen['type'] === type && difference(seen, where) === undefined,
    );
    return checked(message, shape);
  }

  /** Sends a command with a new `id` and takes its reply, which may be an error. */
  async ask(command: Message): Promise<Message> {
    const id = typeof command['id'] === 'string' ? command['id'] : newId();
    this.send({ ...command, id });
    return await this.take(
      `a reply to ${show({ ...command, id })}`,
      (seen) => seen['id'] === id && !EVENTS.has(seen['type']),
    );
  }

  /** Sends a command that has to be answered with `type` and the fields of `shape`. */
  async request(command: Message, type: string, shape: Shape = {}): Promise<Message> {
    const reply = await this.ask(command);
    if (reply['type'] !== type) {
      throw new RowFailure(
        `${show(command)} was answered with ${show(reply)}, expected ${JSON.stringify(type)}`,
      );
    }
    return checked(reply, shape);
  }

  /** Sends a command that has to be refused with one of the error codes. */
  async refused(command: Message, ...codes: readonly string[]): Promise<Message> {
    this.meetsRules ||= codes.includes('forbidden');
    const reply = await this.ask(command);
    if (reply['type'] === 'error' && codes.includes(String(reply['code']))) {
      return checked(reply, { message: TEXT });
    }
    throw new RowFailure(
      `${show(command)} was answered with ${show(reply)}, expected error ${codes.join(' or ')}`,
    );
  }

  /** Sends what is no valid command; the error needs no id. */
  async wrong(text: string, ...codes: readonly string[]): Promise<Message> {
    this.send(text);
    const error = await this.take(`error ${codes.join(' or ')}`, ({ type }) => type === 'error');
    if (codes.includes(String(error['code']))) return error;
    throw new RowFailure(
      `${show(text)} was answered with ${show(error)}, expected error ${codes.join(' or ')}`,
    );
  }

  /** A ping command has to be answered. */
  async lives(): Promise<void> {
    await this.request({ type: 'ping' }, 'pong');
  }

  /** Every message that the server sent before it answers a ping command. */
  async received(): Promise<readonly Message[]> {
    await this.lives();
    return this.unread.splice(0);
  }

  /** So many messages that match, in their order; one more of them must not come. */
  async exactly(
    count: number,
    what: string,
    match: (message: Message) => boolean,
  ): Promise<readonly Message[]> {
    const messages: Message[] = [];
    while (messages.length < count) {
      messages.push(await this.take(`${what} ${messages.length + 1} of ${count}`, match));
    }
    await this.none(`${what} after ${count}`, match);
    return messages;
  }

  /** Fails if a message of one of the types came before the answer to a ping command. */
  async none(what: string, match: (message: Message) => boolean): Promise<void> {
    if (this.#lagMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#lagMs));
    const found = (await this.received()).find(match);
    if (found !== undefined) throw new RowFailure(`got ${show(found)}, expected no ${what}`);
  }

  /** Waits for a ping frame. */
  async pinged(): Promise<void> {
    for (;;) {
      const event = await this.next('a ping frame', 'ping');
      if (event.type === 'ping') return;
      if (event.type === 'close') {
        throw new RowFailure(`${describeClose(event)}, expected a ping frame`);
      }
      if (event.type === 'message') this.unread.push(this.read(event));
    }
  }

  /** Sends nothing more, not even pongs. */
  mute(): void {
    const forever = new Promise<never>(() => undefined);
    // The output of the connection waits for the end of raw bytes.
    void this.channel.writeRaw({ [Symbol.asyncIterator]: () => ({ next: () => forever }) });
  }

  /** Ends TCP without a close frame, and waits until the server has ended its side: then it knows. */
  async lose(): Promise<void> {
    this.channel.wire.end();
    await this.ended();
  }

  protected override read(event: Extract<ConnectionEvent, { type: 'message' }>): Message {
    const message = super.read(event);
    this.meetsRules ||= message['code'] === 'forbidden';
    return message;
  }
}

function describe(shape: Shape): Message {
  return Object.fromEntries(
    Object.entries(shape).flatMap(([key, value]) => (value instanceof Rule ? [] : [[key, value]])),
  );
}

function checked(message: Message, shape: Shape): Message {
  const why = difference(message, shape);
  if (why !== undefined) throw new RowFailure(`got ${show(message)}: ${why}`);
  return message;
}

/** Fails unless both values are equal. */
export function requireSame(seen: unknown, expected: unknown, what: string): void {
  if (!same(seen, expected)) {
    throw new RowFailure(`${what}: ${show(seen)}, expected ${show(expected)}`);
  }
}

/** Fails unless a message has exactly the `fields` that are names, whatever it has of `optional`. */
export function requireFields(
  message: Message,
  fields: readonly (string | false)[],
  optional: readonly string[] = [],
): void {
  const seen = Object.keys(message).filter((key) => !optional.includes(key));
  const expected = fields.filter((name) => name !== false);
  requireSame(seen.sort(), expected.sort(), `the fields of ${show(message['type'])}`);
}

export function requireThat(condition: boolean, detail: string): asserts condition {
  if (!condition) throw new RowFailure(detail);
}
