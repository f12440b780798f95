/**
 * @process specializations/network-programming/websocket-client
 * @description Generate a WebSocket client that reconnects, resumes and never lies, hold it to its promises against a server that misbehaves, run its own tests and, if a command is given that echoes with it, Autobahn's client cases, with an optional review.
 * @inputs { projectName?: string, language?: string, type?: string, features?: object | string[] | string, outputDir?: string, server?: string, url?: string, react?: boolean, force?: boolean, autobahn?: object, review?: boolean }
 * @outputs { success: boolean, projectName: string, clientConfig: object, implementation: object, testResults: object, artifacts: array, duration: number, metadata: object }
 * @example
 * websocket-skill run websocket-client --inputs inputs.json
 * // inputs.json: { "projectName": "chat-client", "language": "TypeScript", "features": { "autoReconnect": true, "heartbeat": true, "messageQueue": true } }
 * @skill websocket ../skills/websocket/SKILL.md
 */

import * as z from 'zod';
import { invalidInput } from '../src/core/errors.ts';
import { FEATURES } from '../src/generate/answers.ts';
import { COMMON_CLIENT_FEATURES, resolveClientAnswers } from '../src/generate/client.ts';
import { GenerateClientInput } from '../src/operations/generate-client/schema.ts';
import * as given from './inputs.ts';
import * as steps from './steps.ts';

const client = GenerateClientInput.shape;

/** The program that Autobahn's cases are for: it connects, and sends back what it gets. */
const AutobahnChoices = z.strictObject({
  ...given.AutobahnChoices.shape,
  spawn: z.string().min(1),
});

/** Inputs of the process; everything has a default. */
export const WebsocketClientInputs = z.strictObject({
  projectName: z.string().min(1).optional(),
  language: given.ClientLanguage,
  /** Of the server; default that of `server`, or chat. */
  type: client.type,
  /** Names of features, as a list, as `presence,auth`, or as `{ "autoReconnect": true }`. */
  features: given.Features,
  /** Relative to the folder the run was started in; default the project's name. */
  outputDir: z.string().min(1).optional(),
  /** A generated server that the client is for: its type, features and port. */
  server: client.server,
  url: client.url,
  react: z.boolean().optional(),
  /** Overwrite files in `outputDir` that differ. */
  force: z.boolean().optional(),
  /**
   * Autobahn's client cases need a raw mode, a program that echoes with the client's connection: `spawn`
   * is the command that starts it. A generated client takes only messages of its protocol.
   */
  autobahn: z
    .union([z.literal(false), AutobahnChoices])
    .optional()
    .meta({ expected: 'false, or an object with spawn, the command of a client that echoes' }),
  /** Whether someone has to approve the client before it is started. */
  review: z.boolean().optional(),
});
export type WebsocketClientInputs = z.input<typeof WebsocketClientInputs>;

/** What the process returns. */
export interface WebsocketClientOutputs {
  /** Generated, approved where asked for, and no case, test of its own or case of Autobahn failed. */
  readonly success: boolean;
  readonly projectName: string;
  readonly clientConfig: Plan['config'];
  readonly implementation: steps.Built;
  readonly testResults: steps.TestResults & {
    /** Null where Autobahn's cases were not run. */
    readonly autobahn: { readonly success: boolean; readonly passed: number | null } | null;
  };
  readonly artifacts: readonly steps.Artifact[];
  /** Milliseconds since the run was created; under a host that does not say when, 0. */
  readonly duration: number;
  readonly metadata: { readonly processId: string; readonly approved: boolean | null };
}

export interface Plan {
  readonly config: steps.ClientArgs & { readonly output: string };
  readonly autobahn: z.input<typeof AutobahnChoices> | undefined;
  readonly review: boolean;
  readonly projectName: string;
}

const DEFAULT_NAME = 'websocket-client';

/** Generates a client, has it reviewed where asked for, and holds it to its promises. */
export async function process(
  request: WebsocketClientInputs = {},
  ctx: steps.Context,
  host: { readonly startedAt?: string } = {},
): Promise<WebsocketClientOutputs> {
  const plan = checkInputs(request);
  const generated = await steps.makeClient(plan.config, ctx);
  const { built, artifacts } = steps.builtOf(generated, plan.config.output);
  const { outputDir: project, files } = built;
  const question = `Install, build and test the generated client in ${project}?`;
  const approved = plan.review ? await steps.review(question, { project, files }, ctx) : null;

  const isTested = approved !== false;
  const tested = isTested ? await steps.testClient(project, ctx) : {};
  const conformance =
    isTested && plan.autobahn !== undefined ? await steps.autobahnClient(plan.autobahn, ctx) : null;
  const autobahn = conformance && {
    success: conformance.success === true,
    passed: conformance.compliance?.autobahnPassed ?? null,
  };
  const isConforming = plan.autobahn === undefined || autobahn?.success === true;
  return {
    success: generated.success === true && tested.success === true && isConforming,
    projectName: plan.projectName,
    clientConfig: plan.config,
    implementation: built,
    testResults: { ...steps.testResultsOf({ tested }), autobahn },
    artifacts,
    duration: steps.durationOf(host.startedAt, ctx),
    metadata: { processId: `specializations/network-programming/${DEFAULT_NAME}`, approved },
  };
}

/**
 * Checks inputs of the process; `websocket-skill run` does so before it creates a run.
 *
 * @throws UsageError naming the input that is unknown, wrong, or not there yet
 */
export function checkInputs(inputs: unknown): Plan {
  const { language } = given.check(WebsocketClientInputs, inputs, { autobahn: AutobahnChoices });
  const { projectName, type, server, url, ...others } = inputs as WebsocketClientInputs;
  const names = [...FEATURES, ...COMMON_CLIENT_FEATURES, 'react'] as const;
  const choices = given.readFeatures(others.features, names);
  given.refuseOff(choices, COMMON_CLIENT_FEATURES, 'client');
  if (choices.has('react') && others.react !== undefined) {
    throw invalidInput('react is given twice: in features and beside it');
  }
  const name = given.slug(projectName, DEFAULT_NAME);
  // With the slash, a name such as `client.js` is a folder, too: one file has nothing to be tested by.
  const folder = given.folderOf(others.outputDir, name).replace(/(\.(?:[cm]?[jt]s|go|py))$/, '$1/');
  const features = given.switchedOn(choices, [...FEATURES, ...COMMON_CLIENT_FEATURES]);
  const react = others.react ?? choices.get('react') === true;
  const optional = {
    ...(type !== undefined && { type }),
    ...(server !== undefined && { server }),
    ...(url !== undefined && { url }),
  };
  const config = { language, features, react, name, output: folder, ...optional };
  // What a server speaks is read when the client is generated.
  if (server === undefined) {
    resolveClientAnswers(config, { form: 'project', baseName: name }, undefined);
  }
  return {
    config: { ...config, force: others.force ?? false },
    autobahn: others.autobahn === false ? undefined : others.autobahn,
    review: others.review ?? false,
    projectName: projectName ?? DEFAULT_NAME,
  };
}
