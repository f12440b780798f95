/**
 * @process specializations/network-programming/websocket-server
 * @description Generate a WebSocket server, check its opening handshake against RFC 6455, test it end to end and, if it echoes, run Autobahn's cases, with an optional benchmark, an optional agent step for custom message handling and an optional review.
 * @inputs { projectName?: string, language?: string, type?: string, features?: string[], outputDir?: string, port?: number, compression?: string, subprotocols?: string[], messages?: number, force?: boolean, autobahn?: boolean | object, benchmark?: boolean | object, customHandlers?: string, review?: boolean }
 * @outputs { success: boolean, projectName: string, serverConfig: object, implementation: object, testResults: object, compliance: object, performance: object | null, artifacts: array, duration: number, metadata: object }
 * @example
 * websocket-skill run websocket-server --inputs inputs.json
 * // inputs.json: { "projectName": "chat", "features": ["rooms", "presence", "history"], "outputDir": "chat-server" }
 * @skill websocket ../skills/websocket/SKILL.md
 */

import type { CustomHandlersResult } from '../tasks/index.ts';
import * as steps from './steps.ts';

export type { BenchmarkChoices } from './steps.ts';

/** Inputs of the process; everything has a default. */
export interface WebsocketServerInputs {
  readonly projectName?: string;
  readonly language?: steps.GenerateArgs['language'];
  readonly type?: steps.GenerateArgs['type'];
  /** Names of features, as a list, as `rooms,presence`, or as `{ "rooms": true }`. */
  readonly features?: readonly string[] | string | Readonly<Record<string, unknown>>;
  /** Relative to the folder the run was started in; default the project's name. */
  readonly outputDir?: string;
  readonly port?: number;
  readonly compression?: steps.GenerateArgs['compression'];
  readonly subprotocols?: string[];
  /** Round trips to measure. */
  readonly messages?: number;
  /** Overwrite files in `outputDir` that differ. */
  readonly force?: boolean;
  /**
   * Whether an echo server has to pass Autobahn's cases, and which; default all but sections 12 and
   * 13, which take minutes. A server that does not echo cannot be tested by them.
   */
  readonly autobahn?: boolean | steps.AutobahnChoices;
  /**
   * Whether the server is benchmarked, and how: an echo server by round trips, a chat server by
   * deliveries to a room. Without thresholds, only errors fail it.
   */
  readonly benchmark?: boolean | steps.BenchmarkChoices;
  /** Message handling that an agent writes into the project before it is tested. */
  readonly customHandlers?: string;
  /** Whether someone has to approve the project before it is started. */
  readonly review?: boolean;
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
  readonly testResults: steps.TestResults;
  readonly compliance: steps.Compliance;
  /** Null without a benchmark. */
  readonly performance: steps.Performance | null;
  readonly artifacts: readonly steps.Artifact[];
  /** Milliseconds since the run was created; under a host that does not say when, 0. */
  readonly duration: number;
  readonly metadata: { readonly processId: string; readonly approved: boolean | null };
}

const PROCESS_ID = 'specializations/network-programming/websocket-server';

/** Generates a server, has it extended and reviewed where asked for, and tests it. */
export async function process(
  inputs: WebsocketServerInputs = {},
  ctx: steps.Context,
  host: { readonly startedAt?: string } = {},
): Promise<WebsocketServerOutputs> {
  const config = configOf(inputs);
  const generated = await steps.generate(config, ctx);
  const project = generated.output ?? config.output;
  const files = (generated.files ?? []).map((file) => file.path);

  const server = { project, language: config.language };
  const handlers = await steps.writeHandlers(inputs.customHandlers, server, ctx);
  const question = `Start and test the generated server in ${project}?`;
  const approved =
    inputs.review === true ? await steps.review(question, { project, files }, ctx) : null;
  const judgements = approved === false ? {} : await judge(inputs, project, ctx);

  const handled = handlers === null || handlers.success;
  const compliance = steps.complianceOf(judgements);
  const performance = steps.performanceOf(judgements);
  return {
    success: handled && compliance.rfc6455 && performance?.success !== false,
    projectName: inputs.projectName ?? DEFAULT_NAME,
    serverConfig: config,
    implementation: {
      outputDir: project,
      files,
      commands: generated.commands ?? [],
      customHandlers: handlers,
    },
    testResults: steps.testResultsOf(judgements),
    compliance,
    performance,
    artifacts: steps.artifactsOf(project, generated),
    duration: steps.durationOf(host.startedAt, ctx),
    metadata: { processId: PROCESS_ID, approved },
  };
}

/** Load comes last, as the checks before it share the machine with it. */
async function judge(
  inputs: WebsocketServerInputs,
  project: string,
  ctx: steps.Context,
): Promise<steps.Judgements> {
  const { messages, subprotocols, type, benchmark = false } = inputs;
  const cases = type === 'echo' && (inputs.autobahn ?? true);
  return {
    handshake: await steps.checkHandshake(project, ctx),
    tested: await steps.test(project, { messages, subprotocols }, ctx),
    conformance: await steps.autobahn(project, cases, ctx),
    benchmarked: await steps.load(project, benchmark, ctx),
  };
}

const DEFAULT_NAME = 'websocket-server';
const DEFAULT_FEATURES = ['rooms', 'presence', 'history'];

/** The arguments of generate-server; what is absent comes from the configuration. */
function configOf(inputs: WebsocketServerInputs) {
  const { language = 'nodejs', port, compression, subprotocols } = inputs;
  const features = featuresOf(inputs.features, inputs.type === 'echo' ? [] : DEFAULT_FEATURES);
  const name = slug(inputs.projectName ?? DEFAULT_NAME);
  return {
    language,
    type: inputs.type ?? 'chat',
    // The task refuses unknown features.
    features: features as Exclude<steps.GenerateArgs['features'], undefined>,
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

/** A package name made from `name`. */
function slug(name: string): string {
  const word = name.toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
  return word.replace(/^[^a-z0-9]+/, '').replace(/-+$/, '') || DEFAULT_NAME;
}
