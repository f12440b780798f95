import { taskFields } from '../case.ts';
import type { CaseDefinition, CaseTask } from '../case.ts';
import { CaseLog } from '../wire/frame-log.ts';
import type { CaseConnection } from '../autobahn/connection.ts';
import { newCloseState } from '../autobahn/close-state.ts';
import { describe } from '../autobahn/event-case.ts';
import { caseVerdict } from '../autobahn/verdict.ts';
import type { CaseEvent, CaseResult, CloseFacts, ExpectedLabel } from '../result.ts';

export interface OutcomeInput {
  readonly task: CaseTask;
  readonly agent: string;
  readonly role: 'client' | 'server';
  readonly startedAt: Date;
  readonly durationMs: number;
  readonly httpRequest: string | null;
  readonly httpResponse: string | null;
  /** The connection that was open, or what is known of the end of one that never was. */
  readonly connection: CaseConnection | undefined;
  readonly neverOpen?: Partial<CloseFacts>;
  readonly notRun?: string;
}

/** Makes the result of a case from what happened. */
export function toResult(input: OutcomeInput): CaseResult {
  const { task, connection, role } = input;
  const { definition } = task;
  const close = connection?.ending ?? { ...newCloseState(), ...input.neverOpen };
  const handler = connection?.handler;
  const verdict = caseVerdict({
    definition,
    role,
    close,
    handler: handler ? { verdict: handler.verdict(), expectedClose: handler.expectedClose } : null,
  });
  const compression = definition.script.kind === 'compression';
  return {
    ...taskFields(task),
    ...(connection?.log ?? new CaseLog()).resultFields(),
    ...verdict,
    agent: input.agent,
    opened: connection !== undefined,
    expected: connection === undefined ? {} : expectedOf(definition),
    expectedClose: handler?.expectedClose ?? null,
    received: handler?.received ?? [],
    close: { ...close },
    httpRequest: input.httpRequest,
    httpResponse: input.httpResponse,
    startedAt: input.startedAt.toISOString(),
    durationMs: input.durationMs,
    reportTime: definition.script.kind !== 'events',
    reportCompressionRatio: compression,
    traffic:
      compression && verdict.behavior === 'OK' ? (connection?.traffic.snapshot() ?? null) : null,
    retry: 'not needed',
    guard: connection?.guard ?? null,
    notRun: input.notRun ?? null,
  };
}

function expectedOf({ script }: CaseDefinition): CaseResult['expected'] {
  if (script.kind !== 'events') return {};
  const expected: Partial<Record<ExpectedLabel, readonly CaseEvent[]>> = {};
  for (const [label, events] of Object.entries(script.expect)) {
    expected[label as ExpectedLabel] = events.map(describe);
  }
  return expected;
}
