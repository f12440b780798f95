import { describe, expect, it } from 'vitest';
import { FastConnection } from '../../../../src/load/socket/fast-connection.ts';
import type { ConnectionEvents } from '../../../../src/load/socket/connection.ts';
import { FastTracker } from '../../../../src/load/workloads/fast-tracker.ts';
import { ErrorTable } from '../../../../src/load/measure/errors.ts';
import { PreparedFrames } from '../../../../src/load/socket/prepared-frames.ts';
import { Counter, WorkerCounters } from '../../../../src/load/measure/counters.ts';
import type { MessagePlan } from '../../../../src/load/plan.ts';
import { FrameDecoder } from '../../../../src/protocol/index.ts';

const MEASURE_MS = 1000;

/** A tracker with one connection that writes nowhere; what it would write is taken from the frames. */
class Bench {
  readonly counters = new WorkerCounters();
  readonly errors = new ErrorTable();
  readonly frames: PreparedFrames;
  readonly tracker: FastTracker;
  readonly connection = new FastConnection({} as ConnectionEvents, {
    index: 7,
    intendedMs: 0,
    startedMs: 0,
  });

  constructor(size: MessagePlan['size'] = { kind: 'fixed', bytes: 32 }, open = true) {
    const { counters, errors } = this;
    this.frames = new PreparedFrames({ opcode: 2, size }, 1);
    this.tracker = new FastTracker({
      frames: this.frames,
      opcode: 2,
      counters,
      errors,
      open,
      copy: false,
    });
    this.tracker.measureMs = MEASURE_MS;
  }

  /** Sends messages that were due at these times; returns their payloads as the server has them. */
  send(nowMs: number, ...due: readonly number[]): Buffer[] {
    this.tracker.nowMs = nowMs;
    const first = this.frames.take(due.length);
    // The same frames again: the cursor stands behind them now.
    const { count } = this.frames;
    if (first + due.length < count) this.frames.take(count - first - due.length);
    this.tracker.send(this.connection, due.length, Float64Array.from(due), 0, 1);
    const decoder = new FrameDecoder();
    decoder.receive(this.frames.view(0, due.length));
    return due.map(() => Buffer.from(decoder.next()?.payload ?? []));
  }

  /** Takes `payload` as a message of the server. */
  reply(nowMs: number, payload: Buffer, opcode = 2): void {
    this.tracker.nowMs = nowMs;
    this.tracker.message(this.connection, payload, 0, payload.length, opcode);
  }

  /** As `reply`, in pieces of `size` bytes. */
  replyInPieces(nowMs: number, payload: Buffer, size: number): void {
    this.tracker.nowMs = nowMs;
    this.tracker.begin(this.connection, 2);
    for (let at = 0; at < payload.length; at += size) {
      this.tracker.part(this.connection, payload, at, Math.min(payload.length, at + size));
    }
    this.tracker.end(this.connection);
  }

  /** The counts of the measured phase that are not 0, less the bytes and those of the window. */
  counts(phase: 'measure' | 'warmup' = 'measure'): Record<string, number> {
    return Object.fromEntries(
      Object.entries(Counter).flatMap(([name, index]) => {
        const count = this.counters[phase].counts[index] ?? 0;
        return count === 0 || /^bytes|^inWindow$/.test(name) ? [] : [[name, count]];
      }),
    );
  }

  kinds(): string[] {
    return this.errors.rows().map(({ kind, detail }) => `${kind} ${detail}`.trim());
  }
}

const at = (payloads: readonly Buffer[], index: number): Buffer => payloads[index] as Buffer;

describe('FastTracker', () => {
  it('matches replies in order and tells response, service and lateness apart', () => {
    const bench = new Bench();
    const payloads = bench.send(1010, 1000, 1004);
    bench.reply(1012, at(payloads, 0));
    bench.reply(1015, at(payloads, 1));
    expect(bench.counts()).toEqual({ sent: 2, received: 2 });
    const { response, service, lateness } = bench.counters.measure;
    const ms = (ns: number): number => Math.round(ns / 1e5) / 10;
    expect([response.min, response.max].map(ms)).toEqual([11, 12]);
    expect([service.min, service.max].map(ms)).toEqual([2, 5]);
    expect([lateness.min, lateness.max].map(ms)).toEqual([6, 10]);
    expect(bench.tracker.inFlight).toBe(0);
    expect(bench.connection.replies).toBe(2);
  });

  it('counts a message by when it was due: warm-up before the measured phase', () => {
    const bench = new Bench();
    const payloads = bench.send(1001, 999, 1000);
    for (const payload of payloads) bench.reply(1005, payload);
    expect(bench.counts('warmup')).toEqual({ sent: 1, received: 1 });
    expect(bench.counts()).toEqual({ sent: 1, received: 1 });
    expect(bench.connection.replies).toBe(1);
  });

  it('counts in the window the replies that came within the measured phase, and no others', () => {
    const bench = new Bench();
    bench.tracker.endMs = 1100;
    const payloads = bench.send(990, 985, 986, 1050, 1060);
    for (const [i, ms] of [999, 1000, 1099, 1100].entries()) bench.reply(ms, at(payloads, i));
    expect(bench.counts('warmup')).toEqual({ sent: 2, received: 2 });
    expect(bench.counts()).toEqual({ sent: 2, received: 2 });
    expect(bench.counters.measure.counts[Counter.inWindow]).toBe(2);
  });

  it('counts the bytes of frames, headers included', () => {
    const bench = new Bench({ kind: 'fixed', bytes: 200 });
    bench.send(1000, 1000);
    expect(bench.counters.measure.counts[Counter.bytesSent]).toBe(200 + 8);
  });

  it('finds replies that come out of order', () => {
    const bench = new Bench();
    const payloads = bench.send(1000, 1000, 1000, 1000);
    for (const index of [1, 0, 2]) bench.reply(1001, at(payloads, index));
    expect(bench.counts()).toEqual({ sent: 3, received: 3, outOfOrder: 1 });
    expect(bench.kinds()).toEqual(['out-of-order']);
  });

  it('tells a second reply from a wrong one', () => {
    const bench = new Bench();
    const payloads = bench.send(1000, 1000, 1000);
    bench.reply(1001, at(payloads, 0));
    bench.reply(1001, at(payloads, 0));
    bench.reply(1001, at(payloads, 1));
    expect(bench.counts()).toEqual({ sent: 2, received: 2, duplicated: 1 });
  });

  it('takes what nobody asked for as wrong, and waits on for the reply', () => {
    const bench = new Bench();
    const payloads = bench.send(1000, 1000);
    bench.reply(1001, Buffer.from('welcome'));
    bench.reply(1001, Buffer.from('welcome to our server'));
    bench.reply(1001, Buffer.alloc(0));
    bench.reply(1001, at(payloads, 0));
    expect(bench.counts()).toEqual({ sent: 1, received: 1, wrong: 3 });
    expect(bench.kinds()).toEqual(['wrong not asked for']);
  });

  it('takes a reply to a message of another connection as wrong', () => {
    const [bench, other] = [new Bench(), new Bench()];
    bench.send(1000, 1000);
    const foreign = Buffer.from(at(other.send(1000, 1000), 0));
    foreign[2] = (foreign[2] ?? 0) + 1;
    bench.reply(1001, foreign);
    expect(bench.counts()).toEqual({ sent: 1, wrong: 1 });
    expect(bench.kinds()).toEqual(['wrong other connection']);
  });

  it.each([
    ['payload', (payload: Buffer) => payload.fill(0x21, 8)],
    ['length', (payload: Buffer) => payload.subarray(0, 31)],
    ['length', (payload: Buffer) => Buffer.concat([payload, payload])],
  ])('counts a reply with another %s as wrong, and its message as lost', (detail, spoil) => {
    const bench = new Bench();
    const payloads = bench.send(1000, 1000, 1000);
    bench.reply(1001, spoil(at(payloads, 0)));
    bench.reply(1001, at(payloads, 1));
    expect(bench.counts()).toEqual({ sent: 2, received: 1, lost: 1, wrong: 1 });
    expect(bench.kinds().toSorted()).toEqual(['lost wrong reply', `wrong ${detail}`]);
    expect(bench.tracker.settled).toBe(2);
  });

  it('counts a reply with another opcode as wrong', () => {
    const bench = new Bench();
    bench.reply(1001, at(bench.send(1000, 1000), 0), 1);
    expect(bench.counts()).toEqual({ sent: 1, lost: 1, wrong: 1 });
    expect(bench.kinds()).toContain('wrong opcode');
  });

  it.each([1, 3, 8, 31, 200])('matches replies that come in pieces of %i bytes', (size) => {
    const bench = new Bench({ kind: 'fixed', bytes: 200 });
    const payloads = bench.send(1000, 1000, 1000, 1000);
    bench.replyInPieces(1001, at(payloads, 0), size);
    bench.replyInPieces(1001, at(payloads, 0), size);
    bench.replyInPieces(1001, Buffer.from('hello'), size);
    bench.replyInPieces(1001, at(payloads, 1).fill(0, 150), size);
    bench.replyInPieces(1001, at(payloads, 2), size);
    expect(bench.counts()).toEqual({ sent: 3, received: 2, lost: 1, duplicated: 1, wrong: 2 });
  });

  it('matches payloads without room for a number by order, length and content', () => {
    const bench = new Bench({ kind: 'fixed', bytes: 3 });
    const payloads = bench.send(1000, 1000, 1000);
    bench.reply(1001, at(payloads, 0));
    bench.reply(1001, Buffer.from('other'));
    bench.reply(1001, at(payloads, 1));
    bench.reply(1001, at(payloads, 1));
    expect(bench.counts()).toEqual({ sent: 2, received: 2, wrong: 2 });
  });

  it('gives up on what is inFlight on a connection', () => {
    const bench = new Bench();
    bench.send(1000, 999, 1000, 1001);
    bench.tracker.lose(bench.connection, { kind: 'lost', detail: 'gone', text: 'it was gone' });
    expect(bench.counts()).toEqual({ sent: 2, lost: 2 });
    expect(bench.counts('warmup')).toEqual({ sent: 1, lost: 1 });
    expect(bench.errors.rows()).toEqual([
      { kind: 'lost', detail: 'gone', count: 2, first: 'it was gone' },
    ]);
    expect(bench.tracker.inFlight).toBe(0);
  });

  it('tells duplicates from wrong replies where sequence numbers start again', () => {
    const bench = new Bench();
    bench.connection.sequence = 0x3fff_ffff;
    const payloads = bench.send(1000, 1000, 1000);
    expect(bench.connection.sequence).toBe(1);
    for (const payload of [...payloads, ...payloads]) bench.reply(1001, payload);
    expect(bench.counts()).toEqual({ sent: 2, received: 2, duplicated: 2 });
  });
});
