import type { ConnectionList } from '../socket/connection-list.ts';
import { EchoTracker } from './echo-tracker.ts';
import { ConcurrencyExecutor, ArrivalRateExecutor } from './echo.ts';
import type { ErrorTable } from '../measure/errors.ts';
import { FanoutTracker } from './fanout-tracker.ts';
import { FanoutExecutor } from './fanout.ts';
import { PreparedFrames } from '../socket/prepared-frames.ts';
import type { Tracker, Traffic } from './tracker.ts';
import type { WorkerCounters } from '../measure/counters.ts';
import type { WorkerStart } from './protocol.ts';
import { PreparedPublish } from '../socket/prepared-publish.ts';
import { IdleTracker, IdleExecutor } from './idle.ts';

/** What a mode works with in one worker. */
export interface ModeContext {
  readonly counters: WorkerCounters;
  readonly errors: ErrorTable;
  readonly open: ConnectionList;
  readonly noteThread: (thread: string | null) => void;
  /** Part of the connections that are this worker's, 0 to 1. */
  readonly share: number;
}

export interface Mode {
  readonly tracker: Tracker;
  readonly executor: Traffic;
}

/** What one worker sends, and how it takes what comes back. */
export function createMode(start: WorkerStart, context: ModeContext): Mode {
  switch (start.plan.mode) {
    case 'idle':
      return { tracker: new IdleTracker(context.counters), executor: new IdleExecutor() };
    case 'fanout':
      return createFanout(start, context);
    default:
      return createEcho(start, context);
  }
}

function createEcho({ plan, index, pacer }: WorkerStart, context: ModeContext): Mode {
  const { load, message, target } = plan;
  const { counters, errors, open, share, noteThread } = context;
  const tracker = new EchoTracker({
    strip: new PreparedFrames(message, load.seed),
    opcode: message.opcode,
    counters,
    errors,
    open: load.model === 'open',
    copy: target.url.startsWith('wss:'),
  });
  const executor =
    load.model === 'closed'
      ? new ConcurrencyExecutor({ tracker, open, depth: load.depth })
      : new ArrivalRateExecutor({ plan, load, index, share, tracker, open, pacer, noteThread });
  return { tracker, executor };
}

function createFanout({ plan, index, pacer, published }: WorkerStart, context: ModeContext): Mode {
  const { fanout, message, target } = plan;
  const { counters, errors, noteThread } = context;
  if (fanout === null || published === null) throw new TypeError('the mode fanout has no plan');
  const frames = new PreparedPublish(fanout.publish, message.opcode, target.url.startsWith('wss:'));
  const tracker = new FanoutTracker({ plan: fanout, frames, index, published, counters, errors });
  return {
    tracker,
    executor: new FanoutExecutor({ plan, fanout, index, tracker, pacer, noteThread }),
  };
}
