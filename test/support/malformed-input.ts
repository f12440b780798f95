import type { CaseResult, ConformanceRun } from '../../src/conformance/result.ts';
import { clip } from '../../src/conformance/result.ts';
import { caseResult, LogWriter, runOf } from './conformance-run.ts';
import { reservedBitAccepted, refusedHandshake } from './conformance-samples.ts';

/** What a peer may say about itself, in the hope that a report shows it without an escape. */
export const INJECTION =
  '</script></style><img src=x onerror="window.pwned=1"><svg/onload=window.pwned=1>`|{{data}}<!--script-->\u0000\u202e$&';

/** A run in which the peer says it wherever it can: name, head, payload, reason; and a note does. */
export function runWithInjection(): ConformanceRun {
  const payload = Buffer.from(INJECTION);
  const agent = `${INJECTION}agent`;
  const accepted = reservedBitAccepted();
  const cases: CaseResult[] = [
    caseResult({ id: '1.1.1', agent }),
    {
      ...refusedHandshake(),
      agent,
      httpResponse: `HTTP/1.1 400 ${INJECTION}\r\nServer: ${INJECTION}\r\n\r\n`,
    },
    {
      ...accepted,
      agent,
      result: INJECTION,
      resultClose: INJECTION,
      guard: INJECTION,
      received: [{ type: 'message', binary: false, payload: clip(payload) }],
      log: new LogWriter().frame('received', { opcode: 1, payload }).rows,
      close: { ...accepted.close, remoteCloseReason: INJECTION, wasNotCleanReason: INJECTION },
    },
  ];
  return runOf(cases, {
    notes: [INJECTION],
    machineTooBusy: INJECTION,
    expectedFailures: [{ case: '1.1.1', reason: INJECTION, outcome: 'stale' }],
  });
}
