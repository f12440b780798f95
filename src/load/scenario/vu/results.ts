import { Histogram } from '../../measure/histogram.ts';
import type { ScenarioResult } from '../../result.ts';

/** What one worker measured of a scenario, as it is sent to the main thread. */
export interface ScenarioCounts {
  readonly iterations: ScenarioResult['iterations'];
  readonly labels: readonly LabelCounts[];
  readonly unasked: readonly { readonly name: string; readonly count: number }[];
  readonly total: { readonly sent: number; readonly received: number };
}

export interface LabelCounts {
  readonly label: string;
  readonly count: number;
  readonly failed: number;
  /** The memory of a `Histogram`. */
  readonly service: ArrayBuffer | SharedArrayBuffer;
  readonly response: ArrayBuffer | SharedArrayBuffer | null;
}

/** Adds up the counts of all workers, which have the same labels and handlers in the same order. */
export function aggregateScenario(name: string, shares: readonly ScenarioCounts[]): ScenarioResult {
  const sum = (of: (share: ScenarioCounts) => number): number =>
    shares.reduce((total, share) => total + of(share), 0);
  return {
    name,
    iterations: {
      started: sum(({ iterations }) => iterations.started),
      completed: sum(({ iterations }) => iterations.completed),
      failed: sum(({ iterations }) => iterations.failed),
    },
    labels: (shares[0]?.labels ?? []).map(({ label, response }, i) => ({
      label,
      count: sum(({ labels }) => labels[i]?.count ?? 0),
      failed: sum(({ labels }) => labels[i]?.failed ?? 0),
      service: joined(shares.map(({ labels }) => labels[i]?.service ?? null)),
      response:
        response === null ? null : joined(shares.map(({ labels }) => labels[i]?.response ?? null)),
    })),
    unasked: (shares[0]?.unasked ?? []).map((row, i) => ({
      name: row.name,
      count: sum(({ unasked }) => unasked[i]?.count ?? 0),
    })),
    total: { sent: sum(({ total }) => total.sent), received: sum(({ total }) => total.received) },
  };
}

function joined(buffers: readonly (ArrayBuffer | SharedArrayBuffer | null)[]): Histogram {
  const histogram = new Histogram();
  for (const buffer of buffers) if (buffer !== null) histogram.add(new Histogram(buffer));
  return histogram;
}
