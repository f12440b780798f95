import type { Channel } from '../../transport/index.ts';
import { CheckFailure, CheckRemark } from './check.ts';
import type { CheckContext } from './check.ts';
import { describeClose, describeViolation, expectEvent, isBreach } from './expect.ts';

/** Text of message `index`: 64 bytes of JSON, which most servers accept. */
function messageText(index: number): string {
  return JSON.stringify({ wsk: index }).slice(0, -1).padEnd(63) + '}';
}

/** The result of a series of echoes. */
export interface EchoSeries {
  readonly received: number;
  readonly problem: string | undefined;
  /** Whether the problem is a breach of the RFC, and not an echo that is missing or spoiled. */
  readonly breach: boolean;
}

/**
 * Sends `count` messages, each after the echo of the one before, and adds the round trips to the
 * session's measurements. After a lost message the rest is sent at once, so that a server that does
 * not answer takes one timeout.
 */
export async function measureEchoes(
  context: CheckContext,
  channel: Channel,
  count: number,
): Promise<EchoSeries> {
  const series = new Series(context, channel, count);
  while (series.sent < count && series.problem === undefined && context.leftMs() > 0) {
    series.send();
    if (!(await series.collect(0))) break;
  }
  while (series.sent < count && series.problem === undefined && context.leftMs() > 0) series.send();
  if (series.problem === undefined) await series.collect(0);
  return series.result();
}

class Series {
  sent = 0;
  problem: string | undefined;
  #breach = false;
  readonly #context: CheckContext;
  readonly #channel: Channel;
  readonly #count: number;
  readonly #pending = new Map<string, number>();
  readonly #answered = new Set<string>();
  #received = 0;
  #lastStray: string | undefined;

  constructor(context: CheckContext, channel: Channel, count: number) {
    this.#context = context;
    this.#channel = channel;
    this.#count = count;
    context.session.measurements.roundTrip = 'echo';
  }

  send(): void {
    const text = messageText(this.sent);
    this.#pending.set(text, performance.now());
    this.sent += 1;
    this.#context.session.measurements.messagesSent += 1;
    void this.#channel.sendText(text);
  }

  /** Takes echoes until at most `rest` are missing; false when no more come in time. */
  async collect(rest: number): Promise<boolean> {
    while (this.#pending.size > rest) {
      const waitMs = Math.min(this.#context.session.timeoutMs, this.#context.leftMs());
      const event = await this.#channel.next(waitMs);
      if (event === undefined) return false;
      if (event.type === 'violation') {
        this.problem = describeViolation(event);
        this.#breach = isBreach(event);
      }
      if (event.type === 'close') this.problem ??= describeClose(event);
      if (this.problem !== undefined) return false;
      if (event.type === 'message') this.#take(event.data.toString('latin1'));
    }
    return true;
  }

  result(): EchoSeries {
    const missing = this.#count - this.#received;
    if (this.problem === undefined && missing > 0) {
      this.problem =
        this.sent < this.#count
          ? `only ${this.sent} of ${this.#count} round trips fit into the time; raise --timeout`
          : `${missing} lost${this.#lastStray ?? ''}`;
    }
    return { received: this.#received, problem: this.problem, breach: this.#breach };
  }

  #take(text: string): void {
    const { session } = this.#context;
    const sentAt = this.#pending.get(text);
    if (sentAt === undefined) {
      this.#stray(text);
      return;
    }
    this.#pending.delete(text);
    this.#answered.add(text);
    this.#received += 1;
    session.measurements.messagesReceived += 1;
    session.measurements.latenciesMs.push(performance.now() - sentAt);
    session.emit({ stage: 'echo', done: this.#received, total: this.#count });
  }

  /** A greeting or a heartbeat of the server's own, unless an echo is missing in its place. */
  #stray(text: string): void {
    const start = JSON.stringify(text.slice(0, 40));
    const sent = `the server sent ${text.length} bytes starting ${start}`;
    if (this.#answered.has(text)) this.problem = `${sent} twice`;
    else this.#lastStray ??= `; ${sent} that match no message`;
  }
}

/** Measures `count` pings, one after the other, for a server that does not echo. */
export async function measurePings(
  context: CheckContext,
  channel: Channel,
  count: number,
): Promise<string> {
  const { measurements, timeoutMs, emit } = context.session;
  measurements.roundTrip = 'ping';
  for (let index = 0; index < count; index++) {
    if (context.leftMs() <= 0) {
      throw new CheckFailure(`only ${index} of ${count} pings fit into the time; raise --timeout`);
    }
    const payload = Buffer.from(`wsk ${index}`);
    const sentAt = performance.now();
    measurements.messagesSent += 1;
    void channel.sendPing(payload);
    await expectEvent(channel, {
      type: 'pong',
      what: `the pong of ping ${index + 1}`,
      timeoutMs: Math.min(timeoutMs, context.leftMs()),
      match: (event) => event.data.equals(payload),
      onClose: (event) => {
        // No MUST forbids a server to end a connection, be it over the message before the pings.
        throw new CheckRemark(
          'warn',
          `${describeClose(event)}, after a legal message and ${index} of ${count} pings`,
        );
      },
    });
    measurements.messagesReceived += 1;
    measurements.latenciesMs.push(performance.now() - sentAt);
    emit({ stage: 'liveness', done: index + 1, total: count });
  }
  return `${count} pings answered`;
}
