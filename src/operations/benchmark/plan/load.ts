import { UsageError } from '../../../core/errors.ts';
import type { ClosedLoad, Mode, OpenLoad, Phases } from '../../../load/plan.ts';
import type { BenchmarkInput } from '../schema.ts';

const DEFAULT_MESSAGES_PER_SECOND = 10;

/** Messages of one run: what the counters of a histogram hold, each of them 32 bits. */
const MAX_MESSAGES = 0xffff_ffff;

/** Messages per second no machine sends: a schedule finer than that is a slip of the pen. */
const MAX_RATE = 50_000_000;

interface LoadOptions {
  readonly mode: Mode | 'scenario';
  /** Connections that send. */
  readonly senders: number;
  readonly phases: Phases;
}

/**
 * At which rate, or how deep, messages are sent.
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT for a rate that a run of this duration cannot have.
 */
export function loadOf(
  input: BenchmarkInput,
  { mode, senders, phases }: LoadOptions,
): OpenLoad | ClosedLoad {
  const { seed, arrivals, pipeline } = input;
  if (pipeline !== undefined) return { model: 'closed', depth: pipeline, seed };
  const rate = totalRate(input, senders);
  if (mode === 'scenario' && rate === undefined) return { model: 'closed', depth: 1, seed };
  // Nothing is sent in these modes; a rate is one of handshakes, and none is as fast as they go.
  if (mode === 'idle' || mode === 'connect') {
    return { model: 'open', rate: input.rate ?? 0, arrivals, seed };
  }
  const total = rate ?? DEFAULT_MESSAGES_PER_SECOND * senders;
  checkRate(input, total, phases);
  return { model: 'open', rate: total, arrivals, seed };
}

function totalRate({ rate, messagesPerSecond }: BenchmarkInput, senders: number) {
  return messagesPerSecond === undefined ? rate : messagesPerSecond * senders;
}

function checkRate(input: BenchmarkInput, total: number, phases: Phases): void {
  const seconds = phases.durationMs / 1000;
  const flag = input.messagesPerSecond === undefined ? '--rate' : '--messages-per-second';
  const given = input.messagesPerSecond ?? input.rate ?? DEFAULT_MESSAGES_PER_SECOND;
  if (total > MAX_RATE) {
    throw refusal(
      `${flag} is ${given}, ${total} messages per second in all, expected at most ${MAX_RATE}`,
      'a closed loop (--pipeline 16) shows how much there can be',
    );
  }
  const messages = total * (seconds + phases.warmupMs / 1000);
  if (messages > MAX_MESSAGES) {
    throw refusal(
      `${flag} is ${given}, ${Math.round(messages)} messages in this duration, expected at most ${MAX_MESSAGES}`,
      `lower it, or --duration to ${Math.floor(MAX_MESSAGES / total)}s`,
    );
  }
  if (total * seconds < 1) {
    throw refusal(
      `${flag} is ${given}, at which not one message is due in ${seconds} s`,
      `raise it, or --duration to ${Math.ceil(1 / total)}s`,
    );
  }
}

function refusal(message: string, hint: string): UsageError {
  return new UsageError('WSK_ERR_INVALID_INPUT', message, { hint });
}
