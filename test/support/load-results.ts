import { Histogram } from '../../src/load/measure/histogram.ts';
import type { LoadPlan } from '../../src/load/plan.ts';
import type { LoadControl, LoadResult, SecondSample } from '../../src/load/result.ts';

/** A plan of 10 connections that send 100 messages per second for a second. */
export function loadPlan(changes: Partial<LoadPlan> = {}): LoadPlan {
  return {
    target: {
      url: 'ws://127.0.0.1:8080/',
      headers: [],
      subprotocols: [],
      compression: false,
      tokens: [],
      insecure: false,
      ca: null,
      cert: null,
      key: null,
      sourceAddresses: [],
    },
    mode: 'echo',
    connections: 10,
    load: { model: 'open', rate: 100, arrivals: 'constant', seed: 1 },
    message: { opcode: 2, size: { kind: 'fixed', bytes: 32 } },
    phases: { rampMs: 0, warmupMs: 0, durationMs: 1000, drainMs: 500, connectTimeoutMs: 2000 },
    workers: 1,
    precise: false,
    engine: 'fast',
    fanout: null,
    ...changes,
  };
}

/** A result in which nothing happened, with `changes`. */
export function loadResult(changes: Partial<LoadResult> = {}): LoadResult {
  return {
    startedAt: '2026-01-01T00:00:00.000Z',
    engine: 'fast',
    phases: { connectMs: 0, warmupMs: 0, measureMs: 1000, drainMs: 0 },
    connections: { requested: 0, opened: 0, failed: 0, dropped: 0 },
    messages: {
      intended: 0,
      sent: 0,
      received: 0,
      inWindow: 0,
      lost: 0,
      inFlight: 0,
      unsent: 0,
      duplicated: 0,
      outOfOrder: 0,
      wrong: 0,
    },
    bytes: { sent: 0, received: 0 },
    latency: {
      connect: new Histogram(),
      response: null,
      service: null,
      lateness: null,
      lastDelivery: null,
    },
    errors: [],
    seconds: [],
    generator: { cpuMs: 0, peakRssBytes: 0, workers: [] },
    fairness: null,
    interrupted: false,
    notes: [],
    ...changes,
  };
}

/** A histogram of these values, in nanoseconds. */
export function histogramOf(...values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

/** A measured second in which nothing happened, with `changes`. */
export function secondSample(second: number, changes: Partial<SecondSample> = {}): SecondSample {
  return {
    second,
    phase: 'measure',
    intended: 0,
    sent: 0,
    received: 0,
    errors: 0,
    connections: 0,
    opened: 0,
    response: null,
    latenessP99: null,
    cpuMs: 0,
    rssBytes: 0,
    ...changes,
  };
}

/** Nobody watches, and nobody interrupts. */
export function loadControl(changes: Partial<LoadControl> = {}): LoadControl {
  const { signal } = new AbortController();
  return { signal, onSecond: () => undefined, startAt: null, ...changes };
}
