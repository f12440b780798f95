import type { MessagePort } from 'node:worker_threads';
import type { Violation } from '../../protocol/index.ts';
import { now } from './clock.ts';
import { ConnectionList } from './connection-list.ts';
import type { Connection, ConnectionHost } from './connection.ts';
import { Dialer } from './dialer.ts';
import { EchoLedger } from './echo-ledger.ts';
import { ClosedTraffic, OpenTraffic } from './echo-traffic.ts';
import type { Traffic } from './echo-traffic.ts';
import { ErrorTable } from './failure.ts';
import type { Failure } from './failure.ts';
import { FrameStrip } from './frame-strip.ts';
import { Count, Gauge, WorkerMemory, add } from './memory.ts';
import type { FromWorker, ToWorker, TrafficTimes, WorkerStart } from './messages.ts';
import { Opener } from './opener.ts';
import { UsageMeter } from './usage-meter.ts';
import type { Usage } from './usage-meter.ts';

/** How often the end of the traffic and of the drain is looked for, in milliseconds. */
const PERIOD_MS = 2;
/** How long servers have to answer our Close frame before the connections are reset. */
const CLOSE_MS = 500;

const NO_REPLY: Failure = {
  kind: 'lost',
  detail: 'no reply',
  text: 'no reply came before the drain was over',
};

/** One worker of the generator: its connections, its traffic, its share of the result. */
export class LoadThread implements ConnectionHost {
  readonly #port: MessagePort;
  readonly #memory: WorkerMemory;
  readonly #errors: ErrorTable;
  readonly #open = new ConnectionList();
  /** Whose sockets are not closed yet. */
  readonly #sockets = new Set<Connection>();
  /** Replies of those that are gone. */
  readonly #replies: number[] = [];
  readonly #ledger: EchoLedger;
  readonly #traffic: Traffic;
  readonly #opener: Opener;
  readonly #meter = new UsageMeter();
  readonly #startMs = now();
  #usage: Usage | undefined;
  #timer: NodeJS.Timeout | undefined;
  #connected = false;
  #finished = false;
  #closing = false;

  constructor(start: WorkerStart, port: MessagePort) {
    const { plan, index, addresses } = start;
    this.#port = port;
    this.#memory = new WorkerMemory(start.buffers);
    this.#errors = new ErrorTable(this.#memory.gauges);
    const indices: number[] = [];
    for (let i = index; i < plan.connections; i += plan.workers) indices.push(i);
    this.#ledger = new EchoLedger({
      strip: new FrameStrip(plan.message, plan.load.seed),
      opcode: plan.message.opcode,
      memory: this.#memory,
      errors: this.#errors,
      open: plan.load.model === 'open',
      copy: plan.target.url.startsWith('wss:'),
    });
    this.#traffic = this.#createTraffic(start, indices.length);
    port.on('message', (message: ToWorker) => this.#receive(message));
    this.#opener = new Opener({
      dialer: new Dialer({ target: plan.target, addresses, index, workers: plan.workers }),
      host: this,
      timeoutMs: plan.phases.connectTimeoutMs,
      indices,
      startMs: this.#startMs,
      rampMs: plan.phases.rampMs,
      done: () => this.#connect(),
    });
    this.#opener.start();
  }

  opening(connection: Connection): void {
    this.#sockets.add(connection);
  }

  opened(connection: Connection): void {
    this.#memory.connect.record((now() - connection.startedMs) * 1e6);
    add(this.#memory.gauges, Gauge.opened, 1);
    this.#open.add(connection);
    this.#memory.gauges[Gauge.open] = this.#open.size;
    this.#opener.settled(connection);
  }

  failed(connection: Connection, failure: Failure): void {
    if (this.#finished || this.#opener.retry(connection, failure)) return;
    add(this.#memory.gauges, Gauge.failed, 1);
    this.#errors.add(failure);
    this.#opener.settled(connection);
  }

  dropped(connection: Connection, failure: Failure): void {
    this.#open.remove(connection);
    this.#memory.gauges[Gauge.open] = this.#open.size;
    if (this.#finished) return;
    add(this.#memory.gauges, Gauge.dropped, 1);
    this.#errors.add(failure);
    const text = `the connection was gone: ${failure.text}`;
    this.#ledger.lose(connection, { kind: 'lost', detail: 'connection gone', text });
    this.#replies.push(connection.replies);
    this.#noticeEmpty();
  }

  ended(connection: Connection): void {
    this.#sockets.delete(connection);
    if (this.#closing && this.#sockets.size === 0) this.#end();
  }

  received(_connection: Connection, bytes: number): void {
    const ledger = this.#ledger;
    ledger.nowMs = now();
    ledger.settled = 0;
    add(ledger.phaseOf(ledger.nowMs).counts, Count.bytesReceived, bytes);
  }

  consumed(connection: Connection): void {
    const { settled } = this.#ledger;
    if (settled > 0) this.#traffic.answered(connection, settled);
  }

  message(connection: Connection, bytes: Buffer, from: number, to: number, opcode: number): void {
    this.#ledger.message(connection, bytes, from, to, opcode);
  }

  begin(connection: Connection, opcode: number): void {
    this.#ledger.begin(connection, opcode);
  }

  part(connection: Connection, bytes: Buffer, from: number, to: number): void {
    this.#ledger.part(connection, bytes, from, to);
  }

  end(connection: Connection): void {
    this.#ledger.end(connection);
  }

  ping(connection: Connection, payload: Buffer): void {
    add(this.#memory.gauges, Gauge.heartbeats, 1);
    connection.pong(payload);
  }

  closed(connection: Connection, code: number, reason: string): void {
    connection.peerClosed(code, reason);
  }

  violated(connection: Connection, violation: Violation): void {
    connection.violated(violation);
  }

  #createTraffic({ plan, index, pacer }: WorkerStart, share: number): Traffic {
    const { load } = plan;
    const [ledger, open] = [this.#ledger, this.#open];
    return load.model === 'closed'
      ? new ClosedTraffic({ ledger, open, depth: load.depth })
      : new OpenTraffic({ plan, load, index, share, ledger, open, pacer });
  }

  #receive(message: ToWorker): void {
    switch (message.type) {
      case 'start':
        this.#begin(message.times);
        break;
      case 'finish':
        this.#finish(message.interrupted);
        break;
      case 'close':
        this.#close();
        break;
    }
  }

  #send(message: FromWorker): void {
    this.#port.postMessage(message);
  }

  #connect(): void {
    this.#connected = true;
    this.#send({ type: 'connected', startMs: this.#startMs, endMs: now() });
    this.#noticeEmpty();
  }

  #noticeEmpty(): void {
    if (this.#connected && this.#open.size === 0) this.#send({ type: 'gone' });
  }

  #begin(times: TrafficTimes): void {
    this.#ledger.measureMs = times.measureMs;
    this.#traffic.start(times);
    let measuring = false;
    this.#timer = setInterval(() => {
      const time = now();
      this.#memory.gauges[Gauge.outstanding] = this.#ledger.outstanding;
      if (!measuring && time >= times.measureMs) {
        measuring = true;
        this.#meter.start();
      }
      if (time < times.endMs) return;
      this.#usage ??= this.#meter.stop();
      const drained = this.#traffic.done && this.#ledger.outstanding === 0;
      if (drained || time >= times.drainMs) this.#finish(false);
    }, PERIOD_MS);
  }

  #finish(interrupted: boolean): void {
    if (this.#finished) return;
    this.#traffic.stop();
    clearInterval(this.#timer);
    this.#opener.stop();
    for (let i = 0; i < this.#open.size; i++) {
      const connection = this.#open.at(i);
      if (!interrupted) this.#ledger.lose(connection, NO_REPLY);
      this.#replies.push(connection.replies);
    }
    this.#finished = true;
    this.#memory.gauges[Gauge.outstanding] = this.#ledger.outstanding;
    this.#usage ??= this.#meter.stop();
    this.#send({
      type: 'result',
      errors: this.#errors.rows(),
      replies: this.#replies,
      ...this.#usage,
    });
  }

  #close(): void {
    this.#finish(true);
    this.#closing = true;
    while (this.#open.size > 0) {
      const connection = this.#open.at(this.#open.size - 1);
      this.#open.remove(connection);
      connection.close();
    }
    if (this.#sockets.size === 0) this.#end();
    setTimeout(() => {
      for (const connection of this.#sockets) connection.reset();
    }, CLOSE_MS).unref();
  }

  #end(): void {
    this.#port.close();
  }
}
