import type { CaseResult, ConformanceRun } from '../../src/conformance/result.ts';
import { clip } from '../../src/conformance/result.ts';
import { caseResult, LogWriter, runOf } from './conformance-run.ts';
import { reservedBitAccepted, refusedHandshake } from './conformance-samples.ts';

/** What a peer may say about itself, in the hope that a report shows it without an escape. */
export const HOSTILE =
  '</script></style><img src=x onerror="window.pwned=1"><svg/onload=window.pwned=1>`|{{data}}<!--script-->\u0000\u202e$&';

/** A run in which the peer says it wherever it can: name, head, payload, reason; and a note does. */
export function hostileRun(): ConformanceRun {
  const payload = Buffer.from(HOSTILE);
  const agent = `${HOSTILE}agent`;
  const accepted = reservedBitAccepted();
  const cases: CaseResult[] = [
    caseResult({ id: '1.1.1', agent }),
    {
      ...refusedHandshake(),
      agent,
      httpResponse: `HTTP/1.1 400 ${HOSTILE}\r\nServer: ${HOSTILE}\r\n\r\n`,
    },
    {
      ...accepted,
      agent,
      result: HOSTILE,
      resultClose: HOSTILE,
      guard: HOSTILE,
      received: [{ type: 'message', binary: false, payload: clip(payload) }],
      log: new LogWriter().frame('received', { opcode: 1, payload }).rows,
      close: { ...accepted.close, remoteCloseReason: HOSTILE, wasNotCleanReason: HOSTILE },
    },
  ];
  return runOf(cases, {
    notes: [HOSTILE],
    machineTooBusy: HOSTILE,
    expectedFailures: [{ case: '1.1.1', reason: HOSTILE, outcome: 'stale' }],
  });
}
