/*
 * The steps that processes are made of: each is one task of an agent, a person or this package, or
 * sums up what the tasks reported. A result may lack any field, as a host may resolve a task itself.
 */

import type { ProcessContext } from '@a5c-ai/babysitter-sdk/dist/runtime/types.js';
import {
  autobahnTest,
  benchmark,
  customHandlers,
  generateClient,
  generateServer,
  reportRun,
  testEndpoint,
  validateHandshake,
} from '../tasks/index.ts';
import type { CustomHandlersResult, ResultOf } from '../tasks/index.ts';
import { isRecord } from './inputs.ts';
import type { AutobahnChoices, BenchmarkChoices } from './inputs.ts';

/** The part of the SDK's context that the steps use; a host may leave `now` out. */
export type Context = Pick<ProcessContext, 'task' | 'breakpoint'> &
  Partial<Pick<ProcessContext, 'now'>>;

export type GenerateArgs = Parameters<typeof generateServer.build>[0];
export type ClientArgs = Parameters<typeof generateClient.build>[0];
type LoadArgs = Parameters<typeof benchmark.build>[0];
type TestArgs = Parameters<typeof testEndpoint.build>[0];
type Generated = Partial<ResultOf<typeof generateServer>>;
type GeneratedClient = Partial<ResultOf<typeof generateClient>>;
type Handshake = Partial<ResultOf<typeof validateHandshake>>;
type Tested = Partial<ResultOf<typeof testEndpoint>>;
type Conformance = Partial<ResultOf<typeof autobahnTest>>;
type Benchmarked = Partial<ResultOf<typeof benchmark>>;
type Measured = Partial<NonNullable<Benchmarked['measured']>>;

/** What the tasks reported about a server; a task that was not requested is null or absent. */
export interface Judgements {
  readonly handshake?: Handshake;
  readonly tested?: Tested;
  readonly conformance?: Conformance | null;
  readonly benchmarked?: Benchmarked | null;
}

/** Rules of the handshake and checks of the test together. */
export interface TestResults {
  /** Without skipped ones. */
  readonly totalTests: number;
  readonly passedTests: number;
  readonly skippedTests: number;
  readonly failures: readonly string[];
  readonly metrics: Tested['metrics'] | null;
}

/** The counts are null where Autobahn's cases were not run. */
export interface Compliance {
  readonly rfc6455: boolean;
  readonly autobahnPassed: number | null;
  readonly autobahnFailed: number | null;
}

/** Milliseconds, messages per second. */
export interface Performance {
  readonly success: boolean;
  readonly sent: number | null;
  readonly received: number | null;
  readonly rate: number | null;
  readonly p50: number | null;
  readonly p99: number | null;
  /** How the generator was saturated; empty if the figures are those of the server. */
  readonly saturated: readonly string[];
  readonly thresholds: readonly {
    readonly threshold: string;
    readonly verdict: 'pass' | 'fail';
    readonly value: number | null;
  }[];
}

/** A generated project; its files relative to the folder. */
export interface Built {
  readonly outputDir: string;
  readonly files: readonly string[];
  /** Install, build and start it. */
  readonly commands: readonly string[];
}

/** A generated file. */
export interface Artifact {
  readonly path: string;
  readonly bytes: number;
}

/** Generates a server. */
export async function generate(args: GenerateArgs, ctx: Context): Promise<Generated> {
  return fieldsOf(await ctx.task(generateServer, args));
}

/** Generates a client. */
export async function makeClient(args: ClientArgs, ctx: Context): Promise<GeneratedClient> {
  return fieldsOf(await ctx.task(generateClient, args));
}

/** The fields of a result, whatever a host has posted as one. */
function fieldsOf<Result extends object>(result: Result): Partial<Result> {
  return isRecord(result) ? result : {};
}

/** The objects of a list in a result; none where it is no list. */
function rowsOf<Row extends object>(list: readonly Row[] | undefined): Partial<Row>[] {
  return Array.isArray(list) ? (list.filter(isRecord) as Partial<Row>[]) : [];
}

/** Has an agent write message handling into the project; null without a request. */
export async function writeHandlers(
  request: string | undefined,
  server: { readonly project: string; readonly language: string },
  ctx: Context,
): Promise<CustomHandlersResult | null> {
  if (request === undefined || request === '') return null;
  const result = fieldsOf(await ctx.task(customHandlers, { ...server, request }));
  return { summary: '', filesChanged: [], ...result, success: result.success === true };
}

/** Asks a person; true only if the answer is yes. */
export async function review(
  question: string,
  { project, files }: { readonly project: string; readonly files: readonly string[] },
  ctx: Context,
): Promise<boolean> {
  const answer = await ctx.breakpoint({ question, project, files }, { label: question });
  // A host may post anything: what does not say yes is no.
  return (answer as Partial<typeof answer> | null)?.approved === true;
}

/** Checks the opening handshake of the project's server. */
export async function checkHandshake(project: string, ctx: Context): Promise<Handshake> {
  return fieldsOf(await ctx.task(validateHandshake, { project }));
}

/**
 * Tests the project's server end to end and runs the tests it brings along; what `options` leave
 * undefined has its default.
 */
export async function test(
  project: string,
  { messages, subprotocols }: Pick<TestArgs, 'messages' | 'subprotocols'>,
  ctx: Context,
): Promise<Tested> {
  const result = await ctx.task(testEndpoint, {
    project,
    ownTests: true,
    ...(messages !== undefined && { messages }),
    ...(subprotocols !== undefined && { subprotocols }),
  });
  return fieldsOf(result);
}

/** Holds a generated client to its promises, and runs the tests it brings along. */
export async function testClient(project: string, ctx: Context): Promise<Tested> {
  return fieldsOf(await ctx.task(testEndpoint, { role: 'client', project, ownTests: true }));
}

/** Writes the page about the run so far to `asked`; where it is, and whether it is there. */
export async function page(
  asked: string,
  ctx: Context,
): Promise<{ readonly page: string; readonly isWritten: boolean }> {
  // The task fills in the run that it belongs to.
  const args = { output: asked } as Parameters<typeof reportRun.build>[0];
  const { success, page: file } = fieldsOf(await ctx.task(reportRun, args));
  return { page: typeof file === 'string' ? file : asked, isWritten: success === true };
}

/** Sections with permessage-deflate: 1000 messages in each of 216 cases. */
const SLOW_SECTIONS = ['12.*', '13.*'];

/** Runs Autobahn's cases: none for false, for true all but the slow sections. */
export async function autobahn(
  project: string,
  choices: boolean | AutobahnChoices,
  ctx: Context,
): Promise<Conformance | null> {
  if (choices === false) return null;
  const selection = choices === true ? { exclude: SLOW_SECTIONS } : choices;
  return fieldsOf(await ctx.task(autobahnTest, { project, ...selection }));
}

/** Runs Autobahn's cases against a program that a command starts, which has to echo. */
export async function autobahnClient(
  { spawn, ...selection }: AutobahnChoices & { readonly spawn: string },
  ctx: Context,
): Promise<Conformance> {
  return fieldsOf(await ctx.task(autobahnTest, { role: 'client', spawn, ...selection }));
}

/** Benchmarks the project's server: not for false, for true with the defaults. */
export async function load(
  { project, ...more }: LoadArgs & { readonly project: string },
  choices: boolean | BenchmarkChoices,
  ctx: Context,
): Promise<Benchmarked | null> {
  if (choices === false) return null;
  const { duration, ...rest } = choices === true ? {} : choices;
  const durationMs = duration === undefined ? {} : { durationMs: duration };
  return fieldsOf(await ctx.task(benchmark, { project, ...more, ...rest, ...durationMs }));
}

/** Whether handshake, test and, if they were run, Autobahn's cases passed. */
export function complianceOf({ handshake, tested, conformance }: Judgements): Compliance {
  const passed = handshake?.success === true && tested?.success === true;
  return {
    rfc6455: passed && (conformance === null || conformance?.success === true),
    autobahnPassed: conformance?.compliance?.autobahnPassed ?? null,
    autobahnFailed: conformance?.compliance?.autobahnFailed ?? null,
  };
}

/** The figures of the benchmark; null if there was none. */
export function performanceOf({ benchmarked }: Judgements): Performance | null {
  if (benchmarked === undefined || benchmarked === null) return null;
  const { success, thresholds } = benchmarked;
  const measured: Measured = benchmarked.measured ?? {};
  return {
    success: success === true,
    sent: measured.messages?.sent ?? null,
    received: measured.messages?.received ?? null,
    rate: measured.rate?.received ?? null,
    p50: measured.latency?.response?.p50 ?? null,
    p99: measured.latency?.response?.p99 ?? null,
    saturated: measured.generator?.reasons ?? [],
    thresholds: rowsOf(thresholds).map(({ threshold = '', verdict = 'fail', value = null }) => ({
      threshold,
      verdict,
      value,
    })),
  };
}

/** Counts rules and checks and names those that failed; a client may have been tested, too. */
export function testResultsOf(
  { handshake, tested }: Judgements,
  client: Tested | null = null,
): TestResults {
  const rows = [
    ...rowsOf(handshake?.rules).map((row) => ({
      ...row,
      detail: `${row.rule ?? ''}: ${row.seen ?? ''}`,
    })),
    ...rowsOf(tested?.checks),
    ...rowsOf(client?.checks),
  ];
  const failed = rows.filter((row) => row.verdict === 'fail');
  const skipped = rows.filter((row) => row.verdict === 'skip').length;
  return {
    totalTests: rows.length - skipped,
    passedTests: rows.length - skipped - failed.length,
    skippedTests: skipped,
    failures: failed.map(
      ({ id = '?', rfc = '', detail = '' }) => `${id}${rfc && ` (RFC ${rfc})`}: ${detail}`,
    ),
    metrics: tested?.metrics ?? null,
  };
}

/** What was generated, in the folder that the task names, else in the one that was asked for. */
export function builtOf({ output, files, commands }: Generated | GeneratedClient, asked: string) {
  const outputDir = typeof output === 'string' ? output : asked;
  const rows = rowsOf(files).map(({ path = '', bytes = 0 }) => ({ path, bytes }));
  const built: Built = {
    outputDir,
    files: rows.map(({ path }) => path),
    commands: Array.isArray(commands) ? commands : [],
  };
  const artifacts: Artifact[] = rows.map(({ path, bytes }) => ({
    path: `${outputDir}/${path}`,
    bytes,
  }));
  return { built, artifacts };
}

/** Milliseconds since the run began: the clock of a process restarts with each replay. */
export function durationOf(startedAt: string | undefined, ctx: Context): number {
  const now = ctx.now?.();
  return startedAt === undefined || now === undefined ? 0 : now.getTime() - Date.parse(startedAt);
}
