import { describe, expect, it } from 'vitest';
import { Measurements, percentile } from '../../../../src/operations/test/measurements.ts';

describe('percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);

  it('is the nearest rank', () => {
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.95)).toBe(95);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile([7], 0.5)).toBe(7);
    expect(percentile([1, 2], 0.5)).toBe(1);
    expect(percentile([1, 2], 0.99)).toBe(2);
  });

  it('is null for no samples', () => {
    expect(percentile([], 0.5)).toBeNull();
  });
});

describe('Measurements', () => {
  it('counts what was lost and has no latency without samples', () => {
    const measurements = new Measurements();
    measurements.messagesSent = 3;
    measurements.messagesReceived = 1;
    expect(measurements.toMetrics({ sent: 10, received: 20 }, 5.4)).toEqual({
      messagesSent: 3,
      messagesReceived: 1,
      lost: 2,
      roundTrip: null,
      avgLatencyMs: null,
      p50Ms: null,
      p95Ms: null,
      p99Ms: null,
      compressionRatio: null,
      compressionRatioSent: null,
      compressionRatioReceived: null,
      bytesSent: 10,
      bytesReceived: 20,
      durationMs: 5,
    });
  });

  it('takes samples in any order and divides wire bytes by payload bytes', () => {
    const measurements = new Measurements();
    measurements.latenciesMs.push(3, 1, 2, 0.12345);
    Object.assign(measurements.sent, { wire: 25, payload: 100 });
    Object.assign(measurements.received, { wire: 75, payload: 100 });
    expect(measurements.toMetrics({ sent: 0, received: 0 }, 0)).toMatchObject({
      avgLatencyMs: 1.531,
      p50Ms: 1,
      p99Ms: 3,
      compressionRatio: 0.5,
      compressionRatioSent: 0.25,
      compressionRatioReceived: 0.75,
    });
  });
});
