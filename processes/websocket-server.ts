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

import * as z from 'zod';
import { checkInput } from '../src/core/derive/input.ts';
import { invalidInput } from '../src/core/errors.ts';
import { GenerateServerInput } from '../src/operations/generate-server/schema.ts';
import { TestInput } from '../src/operations/test/schema.ts';
import type { CustomHandlersResult } from '../tasks/index.ts';
import * as steps from './steps.ts';

export type { BenchmarkChoices } from './steps.ts';

const server = GenerateServerInput.shape;

/** Inputs of the process; everything has a default. */
export const WebsocketServerInputs = z.strictObject({
  projectName: z.string().min(1).optional(),
  language: server.language,
  type: server.type,
  /**
   * Names of features, as a list, as `rooms,presence`, or as `{ "rooms": true }`; the object may
   * hold `compression` and `subprotocols`, too.
   */
  features: z
    .union([server.features, z.string(), z.record(z.string(), z.unknown())])
    .optional()
    .meta({ expected: 'names of features as a list, a text or an object' }),
  /** Relative to the folder the run was started in; default the project's name. */
  outputDir: z.string().min(1).optional(),
  port: server.port,
  compression: server.compression,
  subprotocols: server.subprotocols,
  /** Round trips to measure. */
  messages: TestInput.shape.messages,
  /** Overwrite files in `outputDir` that differ. */
  force: server.force,
  /**
   * Whether an echo server has to pass Autobahn's cases, and which; default all but sections 12 and
   * 13, which take minutes. A server that does not echo cannot be tested by them.
   */
  autobahn: steps.choice(steps.AutobahnChoices),
  /**
   * Whether the server is benchmarked, and how: an echo server by round trips, a chat server by
   * deliveries to a room. Without thresholds, only errors fail it.
   */
  benchmark: steps.choice(steps.BenchmarkChoices),
  /** Message handling that an agent writes into the project before it is tested. */
  customHandlers: z.string().optional(),
  /** Whether someone has to approve the project before it is started. */
  review: z.boolean().optional(),
});
export type WebsocketServerInputs = z.input<typeof WebsocketServerInputs>;

/** What the object of features may hold besides names. */
const Further = WebsocketServerInputs.pick({ compression: true, subprotocols: true });

/** Checked inputs, with features as a list. */
type Checked = Omit<WebsocketServerInputs, 'features'> & {
  readonly features?: Exclude<steps.GenerateArgs['features'], undefined>;
};

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
  given: WebsocketServerInputs = {},
  ctx: steps.Context,
  host: { readonly startedAt?: string } = {},
): Promise<WebsocketServerOutputs> {
  const inputs = checkInputs(given);
  const config = configOf(inputs);
  const generated = await steps.generate(config, ctx);
  const project = generated.output ?? config.output;
  const files = (generated.files ?? []).map((file) => file.path);

  const made = { project, language: config.language };
  const handlers = await steps.writeHandlers(inputs.customHandlers, made, ctx);
  const question = `Start and test the generated server in ${project}?`;
  const approved = inputs.review ? await steps.review(question, { project, files }, ctx) : null;
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
  inputs: Checked,
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
const DEFAULT_FEATURES = ['rooms', 'presence', 'history'] as const;

/** The arguments of generate-server; what is absent comes from the configuration. */
function configOf(inputs: Checked) {
  const { language = 'nodejs', port, compression, subprotocols } = inputs;
  const name = slug(inputs.projectName ?? DEFAULT_NAME);
  return {
    language,
    type: inputs.type ?? 'chat',
    features: inputs.features ?? (inputs.type === 'echo' ? [] : [...DEFAULT_FEATURES]),
    name,
    // With the slash, a name such as `app.js` is a folder, too.
    output: inputs.outputDir ?? (/\.[cm]?js$/.test(name) ? `${name}/` : name),
    force: inputs.force ?? false,
    ...(port !== undefined && { port }),
    ...(compression !== undefined && { compression }),
    ...(subprotocols !== undefined && { subprotocols }),
  };
}

/**
 * Checks inputs of the process; `websocket-skill run` does so before it creates a run.
 *
 * @throws UsageError naming the input that is unknown or wrong
 */
export function checkInputs(inputs: unknown): Checked {
  if (!steps.isRecord(inputs)) {
    throw invalidInput(`the inputs are ${JSON.stringify(inputs)}, expected an object`);
  }
  steps.checkChoices('autobahn', steps.AutobahnChoices, inputs['autobahn']);
  steps.checkChoices('benchmark', steps.BenchmarkChoices, inputs['benchmark']);
  if (Array.isArray(inputs['features'])) namesOf(inputs['features'] as string[]);
  checkInput(WebsocketServerInputs, inputs);
  const { features, ...others } = inputs as WebsocketServerInputs;
  if ((others.autobahn ?? false) !== false && others.type !== 'echo') {
    throw invalidInput(
      "autobahn is given, but Autobahn's cases need a server that echoes",
      'give type echo, or autobahn false',
    );
  }
  if (features === undefined) return others;
  if (!steps.isRecord(features)) return { ...others, features: namesOf(features) };
  const { compression, subprotocols, ...switches } = features;
  const further = Object.entries({ compression, subprotocols }).filter(
    ([, value]) => value !== undefined,
  );
  const twice = further.find(([key]) => Object.hasOwn(others, key));
  if (twice !== undefined) {
    throw invalidInput(`${twice[0]} is given twice: in features and beside it`);
  }
  const more = Object.fromEntries(further);
  checkInput(Further, more, 'field', 'features');
  return { ...others, ...more, features: switchedOn(switches) };
}

/** The names of features in a list or a text. */
function namesOf(features: string | readonly string[]) {
  const names =
    typeof features === 'string' ? features.split(',').map((name) => name.trim()) : features;
  return checkInput(z.strictObject({ features: server.features }), { features: names }).features;
}

/** The names of the features that an object switches on. */
function switchedOn(switches: Readonly<Record<string, unknown>>) {
  const names = namesOf(Object.keys(switches));
  const wrong = names.find((name) => typeof switches[name] !== 'boolean');
  if (wrong !== undefined) {
    const value = JSON.stringify(switches[wrong]);
    throw invalidInput(`features.${wrong} is ${value}, expected true or false`);
  }
  if (switches['ping-pong'] === false) {
    throw invalidInput('features.ping-pong is false, but every server has it', 'leave it out');
  }
  return names.filter((name) => switches[name] === true);
}

/** A package name made from `name`. */
function slug(name: string): string {
  const word = name.toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
  return (
    word
      .replace(/^[^a-z0-9]+/, '')
      .slice(0, 100)
      .replace(/-+$/, '') || DEFAULT_NAME
  );
}
