import type { MessagePort } from 'node:worker_threads';
import { now } from '../measure/clock.ts';
import type { Failure } from '../measure/errors.ts';
import { Counter, Gauge, add } from '../measure/counters.ts';
import type { TrafficTimes, WorkerResult, WorkerStart } from './protocol.ts';
import { createSchedule } from '../pacing/schedule.ts';
import type { Schedule } from '../pacing/schedule.ts';
import { Pacer, Spinner, leastSleepMs } from '../pacing/timers.ts';
import type { Ticker } from '../pacing/timers.ts';
import type { LoadPlan } from '../plan.ts';
import { ClientDialer } from '../socket/client-dialer.ts';
import { ClientConnection } from '../socket/client-connection.ts';
import { ClientTracker } from './client-tracker.ts';
import type { EchoAccount } from './client-tracker.ts';
import { Payloads } from '../socket/payloads.ts';
import { WorkerShell } from './worker-shell.ts';
import type { WorkerDriver } from './worker-shell.ts';

/** Handshakes under way in one worker: more only fill the queue of the server. */
const MOST_OPENING = 256;

const NO_REPLY: Failure = {
  kind: 'lost',
  detail: 'no reply',
  text: 'no reply came before the drain was over',
};

interface Client extends EchoAccount {
  readonly socket: ClientConnection;
  /** Bytes of the socket that are counted already. */
  counted: number;
}

/** One worker of the full client: connections with everything a client does, and their echoes. */
export class ClientThread implements WorkerDriver {
  readonly #shell: WorkerShell;
  readonly #plan: LoadPlan;
  readonly #index: number;
  readonly #dialer: ClientDialer;
  readonly #tracker: ClientTracker;
  /** Numbers of the connections that are still to be opened. */
  readonly #waiting: number[] = [];
  readonly #share: number;
  #open: Client[] = [];
  readonly #sockets = new Set<ClientConnection>();
  readonly #replies: number[] = [];
  readonly #ticker: Ticker | undefined;
  readonly #rampStartMs = now();
  #opening = 0;
  #compressed = 0;
  #connected = false;
  #rampTimer: NodeJS.Timeout | undefined;
  #startTimer: NodeJS.Timeout | undefined;
  #schedule: Schedule | undefined;
  #endMs = 0;
  #turn = 0;
  #closing = false;

  constructor(start: WorkerStart, port: MessagePort) {
    const { plan, index, addresses, pacer } = start;
    this.#plan = plan;
    this.#index = index;
    this.#shell = new WorkerShell(start, port);
    this.#dialer = new ClientDialer(plan.target, addresses);
    const open = plan.load.model === 'open';
    this.#tracker = new ClientTracker({
      counters: this.#shell.counters,
      errors: this.#shell.errors,
      payloads: new Payloads(plan.message, plan.load.seed),
      open,
    });
    for (let i = index; i < plan.connections; i += plan.workers) this.#waiting.push(i);
    this.#share = this.#waiting.length;
    const { load } = plan;
    if (load.model === 'open') {
      const tick = (): void => this.#tick();
      const leastMs = leastSleepMs((load.rate * this.#share) / plan.connections);
      const { noteThread } = this.#shell;
      this.#ticker = plan.precise
        ? new Spinner(tick)
        : new Pacer(pacer, tick, { leastMs, noteThread });
    }
    this.#shell.run(this);
    this.#dialNext();
  }

  get inFlight(): number {
    return this.#tracker.inFlight;
  }

  get drained(): boolean {
    return this.#schedule === undefined && this.#tracker.inFlight === 0;
  }

  begin(times: TrafficTimes): void {
    this.#tracker.measureMs = times.measureMs;
    this.#endMs = times.endMs;
    const { load, connections, workers } = this.#plan;
    if (load.model === 'open') {
      this.#schedule = createSchedule({
        rate: (load.rate * this.#share) / connections,
        arrivals: load.arrivals,
        seed: load.seed,
        index: this.#index,
        workers,
        startMs: times.startMs,
      });
      this.#ticker?.schedule(this.#schedule.next);
      return;
    }
    this.#startTimer = setTimeout(
      () => {
        for (const client of [...this.#open]) this.#send(client, load.depth, now());
      },
      Math.max(1, Math.ceil(times.startMs - now())),
    );
  }

  finish(interrupted: boolean): Pick<WorkerResult, 'replies' | 'notes'> {
    this.#stop();
    for (const client of this.#open) {
      if (!interrupted) this.#tracker.lose(client, NO_REPLY);
      this.#replies.push(client.replies);
    }
    return { replies: this.#replies, notes: this.#notes() };
  }

  close(): void {
    this.#closing = true;
    for (const socket of this.#sockets) socket.close();
    if (this.#sockets.size === 0) this.#shell.end();
  }

  #stop(): void {
    this.#schedule = undefined;
    this.#endMs = 0;
    this.#waiting.length = 0;
    this.#ticker?.stop();
    clearTimeout(this.#startTimer);
    clearTimeout(this.#rampTimer);
  }

  #notes(): string[] {
    if (!this.#plan.target.compression) return [];
    const opened = this.#shell.counters.gauges[Gauge.opened] as number;
    if (this.#compressed === opened) return ['permessage-deflate was in force'];
    if (this.#compressed === 0) return ['the server declined permessage-deflate'];
    return [`permessage-deflate was in force on ${this.#compressed} of ${opened} connections`];
  }

  /** Opens what is due by the ramp, as far as handshakes may be under way. */
  #dialNext(): void {
    clearTimeout(this.#rampTimer);
    const { rampMs } = this.#plan.phases;
    while (this.#waiting.length > 0 && this.#opening < MOST_OPENING) {
      const begun = this.#share - this.#waiting.length;
      const wait = this.#rampStartMs + (rampMs * begun) / this.#share - now();
      if (wait > 0) {
        this.#rampTimer = setTimeout(() => this.#dialNext(), wait);
        return;
      }
      this.#dial(this.#waiting.shift() as number);
    }
    if (this.#waiting.length > 0 || this.#opening > 0 || this.#connected) return;
    this.#connected = true;
    this.#shell.connected();
    this.#noticeEmpty();
  }

  #dial(index: number): void {
    const { target, phases } = this.#plan;
    this.#opening += 1;
    const socket: ClientConnection = new ClientConnection({
      dialer: this.#dialer,
      index,
      url: new URL(target.url),
      headers: [],
      subprotocols: target.subprotocols,
      timeoutMs: phases.connectTimeoutMs,
      events: {
        opened: () => this.#opened(client),
        failed: (failure) => this.#failed(failure),
        message: (opcode, data, atMs) => this.#message(client, { opcode, data, atMs }),
        received: (bytes) => this.#countBytes(Counter.bytesReceived, bytes),
        pinged: () => add(this.#shell.counters.gauges, Gauge.heartbeats, 1),
        dropped: (failure) => this.#dropped(client, failure),
        ended: () => this.#ended(socket),
      },
    });
    const client: Client = {
      index,
      socket,
      sequence: 0,
      inFlight: new Map(),
      replies: 0,
      counted: 0,
    };
    this.#sockets.add(socket);
  }

  #opened(client: Client): void {
    const { counters } = this.#shell;
    counters.connect.record((now() - client.socket.startedMs) * 1e6);
    add(counters.gauges, Gauge.opened, 1);
    if (client.socket.deflate !== undefined) this.#compressed += 1;
    this.#open.push(client);
    this.#settled();
  }

  #failed(failure: Failure): void {
    if (this.#shell.finished) return;
    add(this.#shell.counters.gauges, Gauge.failed, 1);
    this.#shell.errors.add(failure);
    this.#settled();
  }

  #settled(): void {
    this.#shell.counters.gauges[Gauge.open] = this.#open.length;
    this.#opening -= 1;
    this.#dialNext();
  }

  #dropped(client: Client, failure: Failure): void {
    this.#open = this.#open.filter((other) => other !== client);
    const { counters, errors, finished } = this.#shell;
    counters.gauges[Gauge.open] = this.#open.length;
    if (finished) return;
    add(counters.gauges, Gauge.dropped, 1);
    errors.add(failure);
    const text = `the connection was gone: ${failure.text}`;
    this.#tracker.lose(client, { kind: 'lost', detail: 'connection gone', text });
    this.#replies.push(client.replies);
    this.#noticeEmpty();
  }

  #noticeEmpty(): void {
    if (this.#connected && this.#open.length === 0) this.#shell.gone();
  }

  #ended(socket: ClientConnection): void {
    this.#sockets.delete(socket);
    if (this.#closing && this.#sockets.size === 0) this.#shell.end();
  }

  #message(client: Client, reply: { opcode: 1 | 2; data: Buffer; atMs: number }): void {
    if (this.#shell.finished) return;
    const settled = this.#tracker.receive(client, reply);
    const closed = this.#plan.load.model === 'closed';
    if (closed && settled && reply.atMs < this.#endMs) this.#send(client, 1, now());
  }

  /** Sends `count` messages that are due now. */
  #send(client: Client, count: number, nowMs: number): void {
    add(this.#tracker.phaseOf(nowMs).counts, Counter.intended, count);
    for (let i = 0; i < count; i++) this.#push(client, nowMs, nowMs);
    this.#flush(client);
  }

  #push(client: Client, dueMs: number, nowMs: number): void {
    client.socket.send(this.#plan.message.opcode, this.#tracker.send(client, dueMs, nowMs));
  }

  #flush(client: Client): void {
    client.socket.flush();
    const { bytesSent } = client.socket;
    this.#countBytes(Counter.bytesSent, bytesSent - client.counted);
    client.counted = bytesSent;
  }

  #countBytes(index: number, bytes: number): void {
    add(this.#tracker.phaseOf(now()).counts, index, bytes);
  }

  /** Open model: sends everything that is due, to the connections in turn. */
  #tick(): void {
    const schedule = this.#schedule;
    if (schedule === undefined) return;
    const nowMs = now();
    const senders = new Set<Client>();
    while (schedule.next <= nowMs && schedule.next < this.#endMs) {
      const { counts } = this.#tracker.phaseOf(schedule.next);
      add(counts, Counter.intended, 1);
      const client = this.#open[this.#turn++ % Math.max(1, this.#open.length)];
      if (client === undefined) {
        add(counts, Counter.unsent, 1);
      } else {
        this.#push(client, schedule.next, nowMs);
        senders.add(client);
      }
      schedule.advance();
    }
    for (const client of senders) this.#flush(client);
    if (schedule.next < this.#endMs) {
      this.#ticker?.schedule(schedule.next);
    } else {
      // The pacer sleeps on, for its CPU time can be read only while it is there.
      this.#schedule = undefined;
      this.#ticker?.schedule(Infinity);
    }
  }
}
