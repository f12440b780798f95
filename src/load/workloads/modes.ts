import type { ConnectionList } from '../socket/connection-list.ts';
import { EchoLedger } from './echo-tracker.ts';
import { ClosedTraffic, OpenTraffic } from './echo.ts';
import type { ErrorTable } from '../measure/errors.ts';
import { FanoutLedger } from './fanout-tracker.ts';
import { FanoutTraffic } from './fanout.ts';
import { FrameStrip } from '../socket/prepared-frames.ts';
import type { Ledger, Traffic } from './tracker.ts';
import type { WorkerMemory } from '../measure/counters.ts';
import type { WorkerStart } from './protocol.ts';
import { PublishFrames } from '../socket/prepared-publish.ts';
import { QuietLedger, QuietTraffic } from './idle.ts';

/** What a mode works with in one worker. */
export interface ModeContext {
  readonly memory: WorkerMemory;
  readonly errors: ErrorTable;
  readonly open: ConnectionList;
  readonly noteThread: (thread: string | null) => void;
  /** Part of the connections that are this worker's, 0 to 1. */
  readonly share: number;
}

export interface Mode {
  readonly ledger: Ledger;
  readonly traffic: Traffic;
}

/** What one worker sends, and how it takes what comes back. */
export function createMode(start: WorkerStart, context: ModeContext): Mode {
  switch (start.plan.mode) {
    case 'idle':
      return { ledger: new QuietLedger(context.memory), traffic: new QuietTraffic() };
    case 'fanout':
      return createFanout(start, context);
    default:
      return createEcho(start, context);
  }
}

function createEcho({ plan, index, pacer }: WorkerStart, context: ModeContext): Mode {
  const { load, message, target } = plan;
  const { memory, errors, open, share, noteThread } = context;
  const ledger = new EchoLedger({
    strip: new FrameStrip(message, load.seed),
    opcode: message.opcode,
    memory,
    errors,
    open: load.model === 'open',
    copy: target.url.startsWith('wss:'),
  });
  const traffic =
    load.model === 'closed'
      ? new ClosedTraffic({ ledger, open, depth: load.depth })
      : new OpenTraffic({ plan, load, index, share, ledger, open, pacer, noteThread });
  return { ledger, traffic };
}

function createFanout({ plan, index, pacer, board }: WorkerStart, context: ModeContext): Mode {
  const { fanout, message, target } = plan;
  const { memory, errors, noteThread } = context;
  if (fanout === null || board === null) throw new TypeError('the mode fanout has no plan');
  const frames = new PublishFrames(fanout.publish, message.opcode, target.url.startsWith('wss:'));
  const ledger = new FanoutLedger({ plan: fanout, frames, index, board, memory, errors });
  return {
    ledger,
    traffic: new FanoutTraffic({ plan, fanout, index, ledger, pacer, noteThread }),
  };
}
