import { invalidInput } from '../../../core/errors.ts';
import type { ClosedLoad, Mode, OpenLoad, Phases } from '../../../load/plan.ts';
import type { BenchmarkInput } from '../schema.ts';

const DEFAULT_MESSAGES_PER_SECOND = 10;

/** Messages of one run: the counters of a histogram have 32 bits. */
const MAX_MESSAGES = 0xffff_ffff;

/** Messages per second: more than any machine can send. */
const MAX_RATE = 50_000_000;

interface LoadOptions {
  readonly mode: Mode | 'scenario';
  /** Connections that send. */
  readonly senders: number;
  readonly phases: Phases;
}

/**
 * The rate (open model) or the messages in flight (closed model).
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT for a rate that this duration does not allow.
 */
export function loadOf(
  input: BenchmarkInput,
  { mode, senders, phases }: LoadOptions,
): OpenLoad | ClosedLoad {
  const { seed, arrivals, pipeline } = input;
  if (pipeline !== undefined) return { model: 'closed', depth: pipeline, seed };
  const rate = totalRate(input, senders);
  if (mode === 'scenario' && rate === undefined) return { model: 'closed', depth: 1, seed };
  // No messages in these modes: the rate is one of handshakes, 0 as fast as possible.
  if (mode === 'idle' || mode === 'connect') {
    return { model: 'open', rate: input.rate ?? 0, arrivals, seed };
  }
  const total = rate ?? DEFAULT_MESSAGES_PER_SECOND * senders;
  checkRate(input, total, phases);
  // Virtual users of a scenario connect again, so that none of them stays without a connection.
  const perConnection = input.rate === undefined && mode !== 'scenario';
  return { model: 'open', rate: total, ...(perConnection && { perConnection }), arrivals, seed };
}

function totalRate({ rate, messagesPerSecond }: BenchmarkInput, senders: number) {
  return messagesPerSecond === undefined ? rate : messagesPerSecond * senders;
}

function checkRate(input: BenchmarkInput, total: number, phases: Phases): void {
  const seconds = phases.durationMs / 1000;
  const flag = input.messagesPerSecond === undefined ? '--rate' : '--messages-per-second';
  const given = input.messagesPerSecond ?? input.rate ?? DEFAULT_MESSAGES_PER_SECOND;
  if (total > MAX_RATE) {
    throw invalidInput(
      `${flag} is ${given}, ${total} messages per second in all, expected at most ${MAX_RATE}`,
      '--pipeline 16 (closed loop) finds the highest throughput',
    );
  }
  const messages = total * (seconds + phases.warmupMs / 1000);
  if (messages > MAX_MESSAGES) {
    throw invalidInput(
      `${flag} is ${given}, ${Math.round(messages)} messages in this duration, expected at most ${MAX_MESSAGES}`,
      `lower it, or --duration to ${Math.floor(MAX_MESSAGES / total)}s`,
    );
  }
  if (total * seconds < 1) {
    throw invalidInput(
      `${flag} is ${given}, so that no message is due in ${seconds} s`,
      `raise it, or --duration to ${Math.ceil(1 / total)}s`,
    );
  }
}
