/*
 * The steps that processes are made of: each is one task of an agent, a person or this package, or
 * sums up what the tasks reported. A result may lack any field, as a host may resolve a task itself.
 */

import type { ProcessContext } from '@a5c-ai/babysitter-sdk/dist/runtime/types.js';
import * as z from 'zod';
import { checkInput } from '../src/core/derive/input.ts';
import { AutobahnTestInput } from '../src/operations/autobahn-test/schema.ts';
import { BenchmarkInput } from '../src/operations/benchmark/schema.ts';
import {
  autobahnTest,
  benchmark,
  customHandlers,
  generateServer,
  testEndpoint,
  validateHandshake,
} from '../tasks/index.ts';
import type { CustomHandlersResult, ResultOf } from '../tasks/index.ts';

/** The part of the SDK's context that the steps use; a host may leave `now` out. */
export type Context = Pick<ProcessContext, 'task' | 'breakpoint'> &
  Partial<Pick<ProcessContext, 'now'>>;

export type GenerateArgs = Parameters<typeof generateServer.build>[0];
type TestArgs = Parameters<typeof testEndpoint.build>[0];
type Generated = Partial<ResultOf<typeof generateServer>>;
type Handshake = Partial<ResultOf<typeof validateHandshake>>;
type Tested = Partial<ResultOf<typeof testEndpoint>>;
type Conformance = Partial<ResultOf<typeof autobahnTest>>;
type Benchmarked = Partial<ResultOf<typeof benchmark>>;

/** What the tasks reported about a server; a task that was not requested is null or absent. */
export interface Judgements {
  readonly handshake?: Handshake;
  readonly tested?: Tested;
  readonly conformance?: Conformance | null;
  readonly benchmarked?: Benchmarked | null;
}

/** Cases of Autobahn's suite; the defaults are those of `websocket-skill autobahn-test`. */
export const AutobahnChoices = z
  .strictObject(AutobahnTestInput.shape)
  .pick({ cases: true, exclude: true, quick: true });
export type AutobahnChoices = z.input<typeof AutobahnChoices>;

/** The load of a benchmark; the defaults are those of `websocket-skill benchmark`. */
export const BenchmarkChoices = z
  .strictObject({ ...BenchmarkInput.shape, duration: BenchmarkInput.shape.durationMs })
  .pick({
    connections: true,
    messagesPerSecond: true,
    duration: true,
    thresholds: true,
    strict: true,
  });
export type BenchmarkChoices = z.input<typeof BenchmarkChoices>;

/** Yes, no, or what is to be done in detail. */
export function choice<Choices extends z.ZodObject>(choices: Choices) {
  const keys = Object.keys(choices.shape).join(', ');
  return z
    .union([z.boolean(), choices])
    .optional()
    .meta({ expected: `true, false or an object with ${keys}` });
}

/** Checks the fields of an object where a `choice` may stand. @throws UsageError naming the field */
export function checkChoices(name: string, choices: z.ZodObject, given: unknown): void {
  if (isRecord(given)) checkInput(choices, given, 'field', name);
}

/** Whether `value` is an object with keys: neither a list nor null. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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

/** A generated file. */
export interface Artifact {
  readonly path: string;
  readonly bytes: number;
}

/** Generates a server. */
export async function generate(args: GenerateArgs, ctx: Context): Promise<Generated> {
  return await ctx.task(generateServer, args);
}

/** Has an agent write message handling into the project; null without a request. */
export async function writeHandlers(
  request: string | undefined,
  server: { readonly project: string; readonly language: string },
  ctx: Context,
): Promise<CustomHandlersResult | null> {
  if (request === undefined || request === '') return null;
  return await ctx.task(customHandlers, { ...server, request });
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
  return await ctx.task(validateHandshake, { project });
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
  return await ctx.task(testEndpoint, {
    project,
    ownTests: true,
    ...(messages !== undefined && { messages }),
    ...(subprotocols !== undefined && { subprotocols }),
  });
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
  return await ctx.task(autobahnTest, { project, ...selection });
}

/** Benchmarks the project's server: not for false, for true with the defaults. */
export async function load(
  project: string,
  choices: boolean | BenchmarkChoices,
  ctx: Context,
): Promise<Benchmarked | null> {
  if (choices === false) return null;
  const { duration, ...rest } = choices === true ? {} : choices;
  const durationMs = duration === undefined ? {} : { durationMs: duration };
  return await ctx.task(benchmark, { project, ...rest, ...durationMs });
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
  const { success = false, measured, thresholds = [] } = benchmarked;
  return {
    success,
    sent: measured?.messages.sent ?? null,
    received: measured?.messages.received ?? null,
    rate: measured?.rate.received ?? null,
    p50: measured?.latency.response?.p50 ?? null,
    p99: measured?.latency.response?.p99 ?? null,
    saturated: measured?.generator.reasons ?? [],
    thresholds: thresholds.map(({ threshold, verdict, value }) => ({ threshold, verdict, value })),
  };
}

/** Counts rules and checks and names those that failed. */
export function testResultsOf({ handshake, tested }: Judgements): TestResults {
  const rows = [
    ...(handshake?.rules ?? []).map((row) => ({ ...row, detail: `${row.rule}: ${row.seen}` })),
    ...(tested?.checks ?? []),
  ];
  const failed = rows.filter((row) => row.verdict === 'fail');
  const skipped = rows.filter((row) => row.verdict === 'skip').length;
  return {
    totalTests: rows.length - skipped,
    passedTests: rows.length - skipped - failed.length,
    skippedTests: skipped,
    failures: failed.map(({ id, rfc, detail }) => `${id}${rfc && ` (RFC ${rfc})`}: ${detail}`),
    metrics: tested?.metrics ?? null,
  };
}

/** The generated files, with the folder of the project. */
export function artifactsOf(project: string, { files = [] }: Generated): Artifact[] {
  return files.map(({ path, bytes }) => ({ path: `${project}/${path}`, bytes }));
}

/** Milliseconds since the run began: the clock of a process restarts with each replay. */
export function durationOf(startedAt: string | undefined, ctx: Context): number {
  const now = ctx.now?.();
  return startedAt === undefined || now === undefined ? 0 : now.getTime() - Date.parse(startedAt);
}
