import type { LoadPlan } from '../../load/plan.ts';
import type { Measured } from '../../load/metrics.ts';
import { count } from '../../report/format.ts';
import type { ServerUse } from '../../load/host/index.ts';

interface Facts {
  readonly measured: Measured;
  readonly plan: LoadPlan;
  readonly server: ServerUse | null;
}

/**
 * Why a run has failed whatever its thresholds say, each in one line: a server that is gone or
 * silent, and a worker that was lost, cannot have held anything.
 */
export function failuresOf({ measured, plan, server }: Facts): string[] {
  const { connections, messages, errors } = measured;
  const lostWorkers = errors.filter(({ kind }) => kind === 'worker');
  return [
    ...(server?.endedAtSecond === null || server === null
      ? []
      : [`the server's process ${server.pid} was gone in second ${server.endedAtSecond}`]),
    ...(connections.opened > 0 && connections.dropped >= connections.opened
      ? [`every one of ${count(connections.opened)} connections was dropped before the end`]
      : []),
    ...(awaitsReplies(plan) && messages.received === 0
      ? [
          messages.sent === 0
            ? 'not one message was sent'
            : `not one of ${count(messages.sent)} messages was answered`,
        ]
      : []),
    ...lostWorkers.map(({ first }) => `a worker was lost: ${first}`),
  ];
}

function awaitsReplies({ mode }: LoadPlan): boolean {
  return mode === 'echo' || mode === 'fanout';
}
