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
import { FEATURES } from '../src/generate/answers.ts';
import { GenerateServerInput } from '../src/operations/generate-server/schema.ts';
import { TestInput } from '../src/operations/test/schema.ts';
import type { CustomHandlersResult } from '../tasks/index.ts';
import * as given from './inputs.ts';
import * as steps from './steps.ts';

export type { BenchmarkChoices } from './inputs.ts';

const server = GenerateServerInput.shape;

/** Inputs of the process; everything has a default. */
export const WebsocketServerInputs = z.strictObject({
  projectName: z.string().min(1).optional(),
  language: given.ServerLanguage,
  type: server.type,
  /**
   * Names of features, as a list, as `rooms,presence`, or as `{ "rooms": true }`; the object may
   * hold `compression` and `subprotocols`, too.
   */
  features: given.Features,
  /** Relative to the folder the run was started in; default the project's name. */
  outputDir: z
    .string()
    .min(1)
    .refine((text) => !text.includes('\0'), 'expected a path, which holds no NUL')
    .optional(),
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
  autobahn: given.choice(given.AutobahnChoices),
  /**
   * Whether the server is benchmarked, and how: an echo server by round trips, a chat server by
   * deliveries to a room. Without thresholds, only errors fail it.
   */
  benchmark: given.choice(given.BenchmarkChoices),
  /** Message handling that an agent writes into the project before it is tested. */
  customHandlers: z.string().optional(),
  /** Whether someone has to approve the project before it is started. */
  review: z.boolean().optional(),
});
export type WebsocketServerInputs = z.input<typeof WebsocketServerInputs>;

/** What the object of features may hold besides names. */
const Further = WebsocketServerInputs.pick({ compression: true, subprotocols: true });

/** Checked inputs, with features as a list of names. */
type Checked = Omit<WebsocketServerInputs, 'features' | 'language'> & {
  readonly language: z.output<typeof given.ServerLanguage>;
  readonly features?: Exclude<steps.GenerateArgs['features'], undefined>;
};

/** What the process returns. */
export interface WebsocketServerOutputs {
  /** Generated, approved where asked for, and no rule, check, case or threshold failed. */
  readonly success: boolean;
  readonly projectName: string;
  readonly serverConfig: Readonly<Record<string, unknown>>;
  readonly implementation: steps.Built & { readonly customHandlers: CustomHandlersResult | null };
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
  request: WebsocketServerInputs = {},
  ctx: steps.Context,
  host: { readonly startedAt?: string } = {},
): Promise<WebsocketServerOutputs> {
  const inputs = checkInputs(request);
  const config = configOf(inputs);
  const generated = await steps.generate(config, ctx);
  const { built, artifacts } = steps.builtOf(generated, config.output);
  const { outputDir: project, files } = built;

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
    implementation: { ...built, customHandlers: handlers },
    testResults: steps.testResultsOf(judgements),
    compliance,
    performance,
    artifacts,
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
    benchmarked: await steps.load({ project }, benchmark, ctx),
  };
}

const DEFAULT_NAME = 'websocket-server';
const DEFAULT_FEATURES = ['rooms', 'presence', 'history'] as const;

/** The arguments of generate-server; what is absent comes from the configuration. */
function configOf(inputs: Checked) {
  const { language, port, compression, subprotocols } = inputs;
  const name = given.slug(inputs.projectName, DEFAULT_NAME);
  return {
    language,
    type: inputs.type ?? 'chat',
    features: inputs.features ?? (inputs.type === 'echo' ? [] : [...DEFAULT_FEATURES]),
    name,
    output: given.folderOf(inputs.outputDir, name),
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
  const { language } = given.check(WebsocketServerInputs, inputs, {
    autobahn: given.AutobahnChoices,
    benchmark: given.BenchmarkChoices,
  });
  // The defaults of the schema are not filled in: the configuration comes before them.
  const { features, ...others } = { ...(inputs as WebsocketServerInputs), language };
  if ((others.autobahn ?? false) !== false && others.type !== 'echo') {
    throw invalidInput(
      "autobahn is given, but Autobahn's cases need a server that echoes",
      'give type echo, or autobahn false',
    );
  }
  const result = features === undefined ? others : { ...others, ...chosen(features, others) };
  given.checkServer(configOf(result));
  return result;
}

/** The names of features, and what an object of them holds besides. */
function chosen(features: given.Features, others: object) {
  const valued = ['compression', 'subprotocols'] as const;
  const choices = given.readFeatures(features, [...FEATURES, 'ping-pong', ...valued], valued);
  given.refuseOff(choices, ['ping-pong'], 'server');
  const twice = valued.find((key) => choices.has(key) && Object.hasOwn(others, key));
  if (twice !== undefined) {
    throw invalidInput(`${twice} is given twice: in features and beside it`);
  }
  const more = Object.fromEntries(
    [...choices].filter(([key]) => valued.some((one) => one === key)),
  );
  checkInput(Further, more, 'field', 'features');
  return { ...more, features: given.switchedOn(choices, [...FEATURES, 'ping-pong']) };
}
