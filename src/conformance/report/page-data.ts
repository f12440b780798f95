import type { CaseResult, ConformanceRun } from '../result.ts';
import { verdictOf } from '../verdict.ts';
import { adviceFor } from './advice.ts';
import { compareCaseIds } from '../sections.ts';
import type { CaseFiles } from './case-files.ts';
import { describeBehaviors, type Change, type Comparison } from './compare.ts';
import { describeEvent } from '../describe-event.ts';
import { expectedReason } from './expectations.ts';
import { frameLog } from './frame-log.ts';
import { printable, printableLines } from '../../report/printable.ts';
import { reasonOf } from './reason.ts';
import { rfcReference } from './rfc-reference.ts';
import { sectionOf, sectionTitle } from '../sections.ts';

/** What the page's script reads; plain JSON. */
export type PageData = ReturnType<typeof pageData>;

/** Characters of logs and heads in a page; the rest is only in the files of the cases. */
const LOG_BUDGET = 1_800_000;
const MAX_EVENTS = 20;
const MAX_HEAD = 4000;

/** Chooses what the page shows of a run; `results[agent][case]` is null if there is no result. */
export function pageData(
  run: ConformanceRun,
  files: CaseFiles,
  comparison: Comparison | undefined,
) {
  const cases = distinctCases(run);
  const details = new DetailWriter(run, files);
  const changes = new Map(
    comparison?.changes.map((change) => [JSON.stringify([change.agent, change.id]), change]),
  );
  return {
    agents: run.agents.map(({ agent }) => printable(agent)),
    sections: [...new Set(cases.map(({ section }) => section))].map((id) => ({
      id,
      title: sectionTitle(id),
    })),
    cases,
    results: run.agents.map((agent) => {
      const own = new Map(agent.cases.map((result) => [result.id, result]));
      return cases.map(({ id }) => {
        const result = own.get(id);
        const change = changes.get(JSON.stringify([agent.agent, id]));
        return result === undefined ? null : pageResult(run, result, change, details);
      });
    }),
    rfc: Object.fromEntries(
      [...new Set(cases.map(({ rfc }) => rfc))].map((rfc) => [rfc, rfcReference(rfc)]),
    ),
  };
}

function distinctCases(run: ConformanceRun) {
  const byId = new Map<string, CaseResult>();
  for (const { cases } of run.agents) {
    for (const result of cases) if (!byId.has(result.id)) byId.set(result.id, result);
  }
  return [...byId.values()]
    .sort((a, b) => compareCaseIds(a.id, b.id))
    .map(({ id, title, rfc, description, expectation }) => ({
      id,
      section: sectionOf(id),
      title,
      rfc,
      description,
      expectation,
    }));
}

function pageResult(
  run: ConformanceRun,
  result: CaseResult,
  change: Change | undefined,
  details: DetailWriter,
) {
  const verdict = verdictOf(result);
  const expected = expectedReason(run, result);
  return {
    verdict,
    behavior: result.behavior,
    close: result.behaviorClose,
    code: result.close.remoteCloseCode,
    ms: Math.round(result.durationMs),
    // The time says something about the peer.
    ...(result.reportTime ? { timed: true as const } : {}),
    ...(expected === undefined ? {} : { expected: printable(expected) }),
    ...(verdict === 'pass' ? {} : { reason: reasonOf(result), detail: details.write(result) }),
    ...(change === undefined
      ? {}
      : { change: { direction: change.direction, before: describeBehaviors(change.before) } }),
  };
}

/** Writes details; logs and heads until the budget is used up. */
class DetailWriter {
  readonly #run: ConformanceRun;
  readonly #files: CaseFiles;
  #left = LOG_BUDGET;

  constructor(run: ConformanceRun, files: CaseFiles) {
    this.#run = run;
    this.#files = files;
  }

  write(result: CaseResult) {
    const opened = result.opened && result.findings.length === 0;
    const bulk = {
      request: opened ? null : headText(result.httpRequest),
      response: opened ? null : headText(result.httpResponse),
      log: result.opened ? frameLog(result, this.#run.options.role) : null,
    };
    const size = JSON.stringify(bulk).length;
    const fits = size <= this.#left && verdictOf(result) !== 'unimplemented';
    if (fits) this.#left -= size;
    return {
      result: printable(result.result),
      resultClose: printable(result.resultClose),
      wanted: Object.entries(result.expected).map(([label, events]) => [label, eventTexts(events)]),
      received: eventTexts(result.received),
      facts: closeFacts(result),
      advice: adviceFor({
        id: result.id,
        behavior: result.behavior,
        behaviorClose: result.behaviorClose,
        opened: result.opened,
        mustFail: result.expectedClose?.closedByMe === false,
        violation: result.findings[0]?.violation.code,
      }),
      // This file has everything.
      file: this.#files.nameOf(result.agent, result.id),
      ...(fits ? bulk : { request: null, response: null, log: null }),
    };
  }
}

function headText(head: string | null): string | null {
  return head === null ? null : printableLines(head.slice(0, MAX_HEAD)).trimEnd();
}

function eventTexts(events: CaseResult['received']): string[] {
  const shown = events.slice(0, MAX_EVENTS).map(describeEvent);
  return events.length > MAX_EVENTS ? [...shown, `and ${events.length - MAX_EVENTS} more`] : shown;
}

/** How the connection ended and how the case was run. */
function closeFacts(result: CaseResult): (readonly [string, string])[] {
  const { close, expectedClose } = result;
  const wanted = expectedClose?.closeCode.join(', ') ?? '';
  return [
    ['ended by', close.closedByMe ? 'the tester' : 'the peer'],
    ['close code of the peer', codeText(close.remoteCloseCode, close.remoteCloseReason)],
    ...(wanted === '' ? [] : [['expected codes', `${wanted} or none`] as const]),
    ['close code of the tester', codeText(close.localCloseCode, null)],
    ['clean', close.wasClean ? 'yes' : printable(`no: ${close.wasNotCleanReason ?? ''}`)],
    ...(close.droppedByMe ? [['TCP', 'closed by the tester'] as const] : []),
    ...(result.guard === null ? [] : [['ended by a guard', printable(result.guard)] as const]),
    ...(result.retry === 'alone' ? [['run', 'a second time, alone'] as const] : []),
    ...(result.quick ? [['messages', 'fewer than Autobahn sends (--quick)'] as const] : []),
  ];
}

function codeText(code: number | null, reason: string | null): string {
  if (code === null) return 'none';
  return reason === null || reason === '' ? String(code) : printable(`${code} "${reason}"`);
}
