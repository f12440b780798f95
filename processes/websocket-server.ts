/**
 * @process specializations/network-programming/websocket-server
 * @description Generate a WebSocket server, hold its opening handshake against RFC 6455, test it end to end and, if it echoes, run Autobahn's cases, with an optional benchmark under load, an optional agent step for custom message handling and an optional review.
 * @inputs { projectName?: string, language?: string, type?: string, features?: string[], outputDir?: string, port?: number, compression?: string, subprotocols?: string[], messages?: number, force?: boolean, autobahn?: boolean | object, benchmark?: boolean | object, customHandlers?: string, review?: boolean }
 * @outputs { success: boolean, projectName: string, serverConfig: object, implementation: object, testResults: object, compliance: object, performance: object | null, artifacts: array, duration: number, metadata: object }
 * @example
 * websocket-skill run websocket-server --inputs inputs.json
 * // inputs.json: { "projectName": "chat", "features": ["rooms", "presence", "history"], "outputDir": "chat-server" }
 * @skill websocket ../skills/websocket/SKILL.md
 */

import type { ProcessContext } from '@a5c-ai/babysitter-sdk/dist/runtime/types.js';
import {
  autobahnTest,
  benchmark,
  customHandlers,
  generateServer,
  testEndpoint,
  validateHandshake,
} from '../tasks/index.ts';
import type { CustomHandlersResult, ResultOf } from '../tasks/index.ts';

type GenerateArgs = Parameters<typeof generateServer.build>[0];
type Generated = Partial<ResultOf<typeof generateServer>>;
type Handshake = Partial<ResultOf<typeof validateHandshake>>;
type Tested = Partial<ResultOf<typeof testEndpoint>>;
type Conformance = Partial<ResultOf<typeof autobahnTest>>;
type Benchmarked = Partial<ResultOf<typeof benchmark>>;

/** What the process takes; everything has a default. */
export interface WebsocketServerInputs {
  readonly projectName?: string;
  readonly language?: GenerateArgs['language'];
  readonly type?: GenerateArgs['type'];
  /** Names of features, as a list, as `rooms,presence`, or as `{ "rooms": true }`. */
  readonly features?: readonly string[] | string | Readonly<Record<string, unknown>>;
  /** Relative to the folder the run was started in; default the project's name. */
  readonly outputDir?: string;
  readonly port?: number;
  readonly compression?: GenerateArgs['compression'];
  readonly subprotocols?: string[];
  /** Round trips to measure. */
  readonly messages?: number;
  /** Overwrite files in `outputDir` that differ. */
  readonly force?: boolean;
  /**
   * Whether an echo server has to pass Autobahn's cases, and which; without a word all but sections
   * 12 and 13, which take minutes. A server that does not echo cannot be judged by them.
   */
  readonly autobahn?:
    boolean | { readonly cases?: string[]; readonly exclude?: string[]; readonly quick?: boolean };
  /**
   * Whether the server has to hold under load, and which: an echo server by round trips, a chat
   * server by deliveries to a room. Without thresholds, it fails by errors alone.
   */
  readonly benchmark?: boolean | BenchmarkChoices;
  /** Message handling that an agent is to write into the project before it is tested. */
  readonly customHandlers?: string;
  /** Whether someone has to approve the project before it is started. */
  readonly review?: boolean;
}

/** The load a server has to hold; what is left out is as in `websocket-skill benchmark`. */
export interface BenchmarkChoices {
  readonly connections?: number;
  /** Of each connection, or of each publisher to a room. */
  readonly messagesPerSecond?: number;
  /** Milliseconds, or `10s`. */
  readonly duration?: number | string;
  /** As `p99<20ms`. */
  readonly thresholds?: string[];
  /** Whether figures count that are of the generator and not of the server. */
  readonly strict?: boolean;
}

/** What the process returns. */
export interface WebsocketServerOutputs {
  /** Generated, approved where asked for, and no rule, check, case or threshold failed. */
  readonly success: boolean;
  readonly projectName: string;
  readonly serverConfig: Readonly<Record<string, unknown>>;
  readonly implementation: {
    readonly outputDir: string;
    readonly files: readonly string[];
    readonly commands: readonly string[];
    readonly customHandlers: CustomHandlersResult | null;
  };
  /** Rules of the handshake and checks of the test together; `totalTests` leaves skipped ones out. */
  readonly testResults: {
    readonly totalTests: number;
    readonly passedTests: number;
    readonly skippedTests: number;
    readonly failures: readonly string[];
    readonly metrics: Tested['metrics'] | null;
  };
  /** The counts are null where Autobahn's cases were not run. */
  readonly compliance: {
    readonly rfc6455: boolean;
    readonly autobahnPassed: number | null;
    readonly autobahnFailed: number | null;
  };
  /** Null without a benchmark. Milliseconds, messages per second. */
  readonly performance: {
    readonly success: boolean;
    readonly sent: number | null;
    readonly received: number | null;
    readonly rate: number | null;
    readonly p50: number | null;
    readonly p99: number | null;
    /** Why the figures are of the generator and not of the server; empty if they are of the server. */
    readonly saturated: readonly string[];
    readonly thresholds: readonly {
      readonly threshold: string;
      readonly verdict: 'pass' | 'fail';
      readonly value: number | null;
    }[];
  } | null;
  readonly artifacts: readonly { readonly path: string; readonly bytes: number }[];
  /** Milliseconds since the run was created; under a host that does not say when, 0. */
  readonly duration: number;
  readonly metadata: { readonly processId: string; readonly approved: boolean | null };
}

const PROCESS_ID = 'specializations/network-programming/websocket-server';

/** The part of the SDK's context that is used; a host may leave `now` out. */
type Context = Pick<ProcessContext, 'task' | 'breakpoint'> & Partial<Pick<ProcessContext, 'now'>>;

/** Generates a server, has it extended and reviewed where asked for, and judges it. */
export async function process(
  inputs: WebsocketServerInputs = {},
  ctx: Context,
  host: { readonly startedAt?: string } = {},
): Promise<WebsocketServerOutputs> {
  const config = configOf(inputs);
  const generated: Generated = await ctx.task(generateServer, config);
  const project = generated.output ?? config.output;

  const handlers = await extend(inputs, { project, language: config.language }, ctx);
  const approved = await review(inputs, { project, files: generated.files ?? [] }, ctx);
  const judged = approved === false ? {} : await judge(inputs, project, ctx);

  const handled = handlers === null || handlers.success;
  const compliance = complianceOf(judged);
  const performance = performanceOf(judged);
  return {
    success: handled && compliance.rfc6455 && performance?.success !== false,
    projectName: inputs.projectName ?? DEFAULT_NAME,
    serverConfig: config,
    implementation: {
      outputDir: project,
      files: (generated.files ?? []).map((file) => file.path),
      commands: generated.commands ?? [],
      customHandlers: handlers,
    },
    testResults: resultsOf(judged),
    compliance,
    performance,
    artifacts: artifactsOf(project, generated),
    duration: durationOf(host.startedAt, ctx),
    metadata: { processId: PROCESS_ID, approved },
  };
}

const DEFAULT_NAME = 'websocket-server';
const DEFAULT_FEATURES = ['rooms', 'presence', 'history'];

/** The arguments of generate-server; what is not said here comes from the configuration. */
function configOf(inputs: WebsocketServerInputs) {
  const { language = 'nodejs', port, compression, subprotocols } = inputs;
  const features = featuresOf(inputs.features, inputs.type === 'echo' ? [] : DEFAULT_FEATURES);
  const name = slug(inputs.projectName ?? DEFAULT_NAME);
  return {
    language,
    type: inputs.type ?? 'chat',
    // A word that is no feature is refused by the task, which knows them all.
    features: features as Exclude<GenerateArgs['features'], undefined>,
    name,
    output: inputs.outputDir ?? name,
    force: inputs.force ?? false,
    ...(port !== undefined && { port }),
    ...(compression !== undefined && { compression }),
    ...(subprotocols !== undefined && { subprotocols }),
  };
}

function featuresOf(features: WebsocketServerInputs['features'], fallback: string[]): string[] {
  if (features === undefined) return fallback;
  if (typeof features === 'string') return features.split(',').map((feature) => feature.trim());
  if (isList(features)) return [...features];
  return Object.keys(features).filter((feature) => features[feature] === true);
}

function isList(value: object): value is readonly string[] {
  return Array.isArray(value);
}

/** A package name that looks like `name`. */
function slug(name: string): string {
  const word = name.toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
  return word.replace(/^[^a-z0-9]+/, '').replace(/-+$/, '') || DEFAULT_NAME;
}

async function extend(
  { customHandlers: request }: WebsocketServerInputs,
  server: { project: string; language: string },
  ctx: Context,
): Promise<CustomHandlersResult | null> {
  if (request === undefined || request === '') return null;
  return await ctx.task(customHandlers, { ...server, request });
}

async function review(
  inputs: WebsocketServerInputs,
  { project, files }: { project: string; files: Exclude<Generated['files'], undefined> },
  ctx: Context,
): Promise<boolean | null> {
  if (inputs.review !== true) return null;
  const question = `Start and test the generated server in ${project}?`;
  const paths = files.map((file) => file.path);
  const answer = await ctx.breakpoint({ question, project, files: paths }, { label: question });
  return answer.approved;
}

interface Judged {
  readonly handshake?: Handshake;
  readonly tested?: Tested;
  readonly conformance?: Conformance | null;
  readonly benchmarked?: Benchmarked | null;
}

async function judge(
  inputs: WebsocketServerInputs,
  project: string,
  ctx: Context,
): Promise<Judged> {
  const { messages, subprotocols } = inputs;
  const handshake: Handshake = await ctx.task(validateHandshake, { project });
  const tested: Tested = await ctx.task(testEndpoint, {
    project,
    ...(messages !== undefined && { messages }),
    ...(subprotocols !== undefined && { subprotocols }),
  });
  const conformance = await conform(inputs, project, ctx);
  const benchmarked = await load(inputs, project, ctx);
  return { handshake, tested, conformance, benchmarked };
}

async function conform(
  { type, autobahn = true }: WebsocketServerInputs,
  project: string,
  ctx: Context,
): Promise<Conformance | null> {
  if (type !== 'echo' || autobahn === false) return null;
  const selection = autobahn === true ? { exclude: SLOW_SECTIONS } : autobahn;
  return await ctx.task(autobahnTest, { project, ...selection });
}

/** Last, as it loads the machine that the other checks have to share. */
async function load(
  { benchmark: choices = false }: WebsocketServerInputs,
  project: string,
  ctx: Context,
): Promise<Benchmarked | null> {
  if (choices === false) return null;
  const { duration, ...rest } = choices === true ? {} : choices;
  const durationMs = duration === undefined ? {} : { durationMs: duration };
  return await ctx.task(benchmark, { project, ...rest, ...durationMs });
}

/** Sections with permessage-deflate: 1000 messages in each of 216 cases. */
const SLOW_SECTIONS = ['12.*', '13.*'];

function complianceOf({ handshake, tested, conformance }: Judged) {
  const passed = handshake?.success === true && tested?.success === true;
  return {
    rfc6455: passed && (conformance === null || conformance?.success === true),
    autobahnPassed: conformance?.compliance?.autobahnPassed ?? null,
    autobahnFailed: conformance?.compliance?.autobahnFailed ?? null,
  };
}

function performanceOf({ benchmarked }: Judged): WebsocketServerOutputs['performance'] {
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

function resultsOf({ handshake, tested }: Judged): WebsocketServerOutputs['testResults'] {
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
    failures: failed.map((row) => `${row.id} (RFC ${row.rfc}): ${row.detail}`),
    metrics: tested?.metrics ?? null,
  };
}

function artifactsOf(project: string, { files = [] }: Generated) {
  return files.map(({ path, bytes }) => ({ path: `${project}/${path}`, bytes }));
}

/** The clock of a process starts again with each replay: only the host knows when the run began. */
function durationOf(startedAt: string | undefined, ctx: Context): number {
  const now = ctx.now?.();
  return startedAt === undefined || now === undefined ? 0 : now.getTime() - Date.parse(startedAt);
}
