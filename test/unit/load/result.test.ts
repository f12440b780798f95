import { expect, it } from 'vitest';
import { decodeResult, encodeResult, type LoadResult } from '../../../src/load/result.ts';
import { histogramOf, loadResult, secondSample } from '../../support/load-results.ts';

const full: LoadResult = loadResult({
  engine: 'scenario',
  latency: {
    connect: histogramOf(1_000_000),
    response: histogramOf(2_000_000, 3_000_000),
    service: histogramOf(1_500_000),
    lateness: null,
    lastDelivery: null,
  },
  errors: [{ kind: 'out-of-order', detail: '', count: 2, first: 'connection 3: 2 before 1' }],
  seconds: [secondSample(0, { response: { p50: 1, p99: 2, max: 3 }, latenessP99: 4 })],
  generator: {
    cpuMs: 10,
    peakRssBytes: 1e8,
    workers: [
      {
        name: 'worker 1',
        cpuMs: 10,
        measureMs: 1000,
        eventLoopUtilization: 0.1,
        gcMs: 0.5,
        waitMs: null,
      },
    ],
  },
  fairness: { min: 1, median: 2, max: 3 },
  notes: ['one'],
  scenario: {
    name: 'chat',
    iterations: { started: 3, completed: 2, failed: 1 },
    labels: [
      { label: 'join', count: 2, failed: 1, service: histogramOf(5_000_000), response: null },
    ],
    unasked: [{ name: 'news', count: 4 }],
    total: { sent: 9, received: 8 },
  },
});

it('writes a result and reads the same one back, histograms included', () => {
  const read = decodeResult(encodeResult(full));
  expect(read).toEqual(full);
  expect(read.latency.response?.count).toBe(2);
  expect(read.scenario?.labels[0]?.service.max).toBe(full.scenario?.labels[0]?.service.max);
});

it('reads a result that has no scenario as one without', () => {
  expect('scenario' in decodeResult(encodeResult(loadResult()))).toBe(false);
});

it.each([
  ['text that is no JSON', 'x', 'not a result of a run: no JSON'],
  ['a histogram that is damaged', damaged(), 'latency.connect: expected a histogram in base64'],
  ['a count that is negative', negative(), 'messages.sent: Too small'],
  ['a document of another kind', '[]', 'not a result of a run: '],
])('names what is wrong with %s', (_what, text, message) => {
  expect(() => decodeResult(text)).toThrow(message);
});

function damaged(): string {
  const { latency, ...rest } = JSON.parse(encodeResult(full)) as { latency: object };
  return JSON.stringify({ ...rest, latency: { ...latency, connect: 'AAAA' } });
}

function negative(): string {
  return encodeResult({ ...full, messages: { ...full.messages, sent: -1 } });
}
