import type { CaseResult, ConformanceRun } from '../result.ts';
import { verdictOf, type Verdict } from '../verdict.ts';
import { adviceFor } from './advice.ts';
import { compareCaseIds } from '../case-order.ts';
import type { CaseFiles } from './case-files.ts';
import { describeJudgement, type Comparison } from './compare.ts';
import { describeEvent } from '../describe-event.ts';
import { expectedReason } from './expectations.ts';
import { frameLog, type FrameLog } from './frame-log.ts';
import { printable, printableLines } from '../../report/printable.ts';
import { reasonOf } from './reason.ts';
import { rfcReference, type RfcReference } from './rfc-reference.ts';
import { sectionOf, sectionTitle } from '../sections.ts';
import type { Advice } from './violation-advice.ts';

/** What the page shows: plain JSON, with the details of passes left out. */
export interface PageData {
  readonly agents: readonly string[];
  readonly sections: readonly { readonly id: string; readonly title: string }[];
  readonly cases: readonly PageCase[];
  /** `results[agent][case]`; null where the agent has no such result. */
  readonly results: readonly (readonly (PageResult | null)[])[];
  readonly rfc: Readonly<Record<string, RfcReference>>;
}

interface PageCase {
  readonly id: string;
  readonly section: string;
  readonly title: string;
  readonly rfc: string;
  readonly description: string;
  readonly expectation: string;
}

interface PageResult {
  readonly verdict: Verdict;
  readonly behavior: string;
  readonly close: string;
  readonly code: number | null;
  readonly ms: number;
  /** Whether the time says something about the peer. */
  readonly timed?: true;
  readonly change?: { readonly direction: string; readonly before: string };
  /** Why the failure is expected. */
  readonly expected?: string;
  /** What is not said of a pass. */
  readonly reason?: string;
  readonly detail?: PageDetail;
}

interface PageDetail {
  readonly result: string;
  readonly resultClose: string;
  readonly wanted: readonly (readonly [label: string, events: readonly string[]])[];
  readonly received: readonly string[];
  readonly facts: readonly (readonly [label: string, value: string])[];
  readonly advice: readonly Advice[];
  readonly request: string | null;
  readonly response: string | null;
  /** Null where the page has no room left for it. */
  readonly log: FrameLog | null;
  /** The file that has everything. */
  readonly file: string;
}

/** Characters of logs and heads in a page; what is beyond stays in the files of the cases. */
const LOG_BUDGET = 1_800_000;
const MAX_EVENTS = 20;
const MAX_HEAD = 4000;

/** Chooses what the page holds of a run. */
export function pageData(
  run: ConformanceRun,
  files: CaseFiles,
  comparison: Comparison | undefined,
): PageData {
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
        return result === undefined
          ? null
          : {
              ...pageResult(run, result, details),
              ...(change === undefined
                ? {}
                : {
                    change: {
                      direction: change.direction,
                      before: describeJudgement(change.before),
                    },
                  }),
            };
      });
    }),
    rfc: Object.fromEntries(
      [...new Set(cases.map(({ rfc }) => rfc))].map((rfc) => [rfc, rfcReference(rfc)]),
    ),
  };
}

function distinctCases(run: ConformanceRun): PageCase[] {
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

function pageResult(run: ConformanceRun, result: CaseResult, details: DetailWriter): PageResult {
  const verdict = verdictOf(result);
  const expected = expectedReason(run, result);
  return {
    verdict,
    behavior: result.behavior,
    close: result.behaviorClose,
    code: result.close.remoteCloseCode,
    ms: Math.round(result.durationMs),
    ...(result.reportTime ? { timed: true as const } : {}),
    ...(expected === undefined ? {} : { expected: printable(expected) }),
    ...(verdict === 'pass' ? {} : { reason: reasonOf(result), detail: details.write(result) }),
  };
}

/** Writes details, with logs as long as there is room for them. */
class DetailWriter {
  readonly #run: ConformanceRun;
  readonly #files: CaseFiles;
  #left = LOG_BUDGET;

  constructor(run: ConformanceRun, files: CaseFiles) {
    this.#run = run;
    this.#files = files;
  }

  write(result: CaseResult): PageDetail {
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

/** What is known of the end of the connection, and of how the case was run. */
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
    ...(result.retry === 'alone' ? [['run', 'again, alone'] as const] : []),
    ...(result.quick ? [['messages', 'fewer than Autobahn sends (--quick)'] as const] : []),
  ];
}

function codeText(code: number | null, reason: string | null): string {
  if (code === null) return 'none';
  return reason === null || reason === '' ? String(code) : printable(`${code} "${reason}"`);
}
