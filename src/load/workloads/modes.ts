import type { ErrorTable } from '../measure/errors.ts';
import type { WorkerCounters } from '../measure/counters.ts';
import { Tracker } from '../measure/tracker.ts';
import type { ConnectionList } from '../socket/connection-list.ts';
import type { Connection } from '../socket/connection.ts';
import { Payloads } from '../socket/payloads.ts';
import { PreparedFrames } from '../socket/prepared-frames.ts';
import { PreparedPublish } from '../socket/prepared-publish.ts';
import { ClientTracker } from './client-tracker.ts';
import { ArrivalRateExecutor, ConcurrencyExecutor } from './echo.ts';
import { Executor } from './executor.ts';
import { FanoutTracker } from './fanout-tracker.ts';
import { FanoutExecutor } from './fanout.ts';
import { FastTracker } from './fast-tracker.ts';
import type { WorkerStart } from './protocol.ts';

/** What a mode needs of its worker. */
export interface ModeContext {
  readonly counters: WorkerCounters;
  readonly errors: ErrorTable;
  readonly open: ConnectionList;
  readonly noteThread: (thread: string | null) => void;
  /** Part of the connections that are this worker's, 0 to 1. */
  readonly share: number;
}

export interface Mode {
  readonly tracker: Tracker<Connection>;
  readonly executor: Executor;
}

/** How one worker sends, and how it counts what comes back. */
export function createMode(start: WorkerStart, context: ModeContext): Mode {
  switch (start.plan.mode) {
    case 'idle':
      return { tracker: new Tracker(context.counters, context.errors), executor: new Executor() };
    case 'fanout':
      return createFanout(start, context);
    default:
      return createEcho(start, context);
  }
}

function createEcho({ plan, index, pacer, workload }: WorkerStart, context: ModeContext): Mode {
  const { load, message, target } = plan;
  const { counters, errors, open, share, noteThread } = context;
  const common = { counters, errors, opcode: message.opcode, open: load.model === 'open' };
  const tracker =
    workload.engine === 'client'
      ? new ClientTracker({ ...common, payloads: new Payloads(message, load.seed) })
      : new FastTracker({
          ...common,
          frames: new PreparedFrames(message, load.seed),
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
