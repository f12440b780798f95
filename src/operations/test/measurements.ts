import type { Metrics } from './schema.ts';

/** What the checks have measured so far. */
export class Measurements {
  messagesSent = 0;
  messagesReceived = 0;
  roundTrip: 'echo' | 'ping' | null = null;
  readonly latenciesMs: number[] = [];
  /** Bytes of the messages of the compression check: on the wire and of their payload. */
  readonly sent = { wire: 0, payload: 0 };
  readonly received = { wire: 0, payload: 0 };

  /** The figures for a report. Percentiles are exact: nearest rank over all samples. */
  toMetrics(bytes: { sent: number; received: number }, durationMs: number): Metrics {
    const sorted = [...this.latenciesMs].sort((a, b) => a - b);
    const sum = sorted.reduce((total, value) => total + value, 0);
    return {
      messagesSent: this.messagesSent,
      messagesReceived: this.messagesReceived,
      lost: this.messagesSent - this.messagesReceived,
      roundTrip: this.roundTrip,
      avgLatencyMs: sorted.length === 0 ? null : round(sum / sorted.length),
      p50Ms: percentile(sorted, 0.5),
      p95Ms: percentile(sorted, 0.95),
      p99Ms: percentile(sorted, 0.99),
      compressionRatio: ratio(
        this.sent.wire + this.received.wire,
        this.sent.payload + this.received.payload,
      ),
      compressionRatioSent: ratio(this.sent.wire, this.sent.payload),
      compressionRatioReceived: ratio(this.received.wire, this.received.payload),
      bytesSent: bytes.sent,
      bytesReceived: bytes.received,
      durationMs: Math.round(durationMs),
    };
  }
}

/** The nearest-rank percentile of an ascending list; null for an empty one. */
export function percentile(sorted: readonly number[], fraction: number): number | null {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * fraction) - 1)];
  return value === undefined ? null : round(value);
}

function ratio(wire: number, payload: number): number | null {
  return payload === 0 ? null : round(wire / payload);
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
