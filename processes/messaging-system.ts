/*
 * What realtime-messaging-system and its variants share: a server and a client of one type, held to their
 * contract, to the handshake's rules and to a load, and a page that shows it. Variants differ in defaults.
 */

import type { ClientType } from '../src/generate/client.ts';
import type { CustomHandlersResult } from '../tasks/index.ts';
import { planOf } from './messaging-inputs.ts';
import type { MessagingInputs, Plan, Variant } from './messaging-inputs.ts';
import * as steps from './steps.ts';

/** What the processes return. */
export interface MessagingOutputs {
  /** All was generated, approved where asked for, and each judgement that was asked for passed. */
  readonly success: boolean;
  readonly projectName: string;
  /** Arguments of generate-server and generate-client; null without a client. */
  readonly systemConfig: {
    readonly type: ClientType;
    readonly features: readonly string[];
    readonly server: steps.GenerateArgs;
    readonly client: steps.ClientArgs | null;
  };
  readonly implementation: {
    readonly outputDir: string;
    readonly server: steps.Built;
    readonly client: steps.Built | null;
    readonly customHandlers: CustomHandlersResult | null;
    /** The page to open. */
    readonly page: string;
  };
  readonly testResults: steps.TestResults & {
    readonly handshake: boolean;
    readonly server: boolean;
    /** Null where none was asked for. */
    readonly client: boolean | null;
    readonly performance: steps.Performance | null;
  };
  readonly artifacts: readonly steps.Artifact[];
  /** Milliseconds since the run was created; under a host that does not say when, 0. */
  readonly duration: number;
  readonly metadata: { readonly processId: string; readonly approved: boolean | null };
}

/** The process of a variant, and the check of its inputs. */
export function messagingSystem(variant: Variant) {
  const checkInputs = (inputs: unknown): Plan => planOf(inputs, variant);
  return {
    checkInputs,
    process: async (
      request: MessagingInputs = {},
      ctx: steps.Context,
      host: { readonly startedAt?: string } = {},
    ): Promise<MessagingOutputs> => await run(checkInputs(request), variant, { ctx, host }),
  };
}

async function run(
  plan: Plan,
  { name }: Variant,
  { ctx, host }: { ctx: steps.Context; host: { readonly startedAt?: string } },
): Promise<MessagingOutputs> {
  const { inputs, type, features, outputDir } = plan;
  const generated = await steps.generate(plan.server, ctx);
  const server = steps.builtOf(generated, plan.server.output);
  const { outputDir: project } = server.built;
  const generatedClient =
    plan.client && (await steps.makeClient({ ...plan.client, server: project }, ctx));
  const client = generatedClient && steps.builtOf(generatedClient, plan.client.output);
  const artifacts = [...server.artifacts, ...(client?.artifacts ?? [])];

  const made = { project, language: plan.server.language };
  const handlers = await steps.writeHandlers(inputs.customHandlers, made, ctx);
  const files = artifacts.map(({ path }) => path);
  const question = `Start and test what was generated in ${outputDir}?`;
  const approved = inputs.review ? await steps.review(question, { project, files }, ctx) : null;

  const isTested = approved !== false;
  const judgements = isTested ? await judge(plan, project, ctx) : {};
  const clientTested =
    isTested && client ? await steps.testClient(client.built.outputDir, ctx) : null;
  // Load comes last, as what comes before it shares the machine with it.
  const benchmarked = isTested
    ? await steps.load({ project, output: `${outputDir}/load` }, plan.benchmark, ctx)
    : null;
  const { page, isWritten } = await steps.page(`${outputDir}/report.html`, ctx);

  const performance = steps.performanceOf({ benchmarked });
  const verdicts = {
    handshake: judgements.handshake?.success === true,
    server: judgements.tested?.success === true,
    client: client && clientTested?.success === true,
  };
  return {
    success:
      generated.success === true &&
      (generatedClient === null || generatedClient.success === true) &&
      handlers?.success !== false &&
      Object.values(verdicts).every((verdict) => verdict !== false) &&
      performance?.success !== false &&
      isWritten,
    projectName: inputs.projectName ?? name,
    systemConfig: { type, features, server: plan.server, client: plan.client },
    implementation: {
      outputDir,
      server: server.built,
      client: client && client.built,
      customHandlers: handlers,
      page,
    },
    testResults: {
      ...steps.testResultsOf(judgements, clientTested),
      ...verdicts,
      performance,
    },
    artifacts,
    duration: steps.durationOf(host.startedAt, ctx),
    metadata: { processId: `specializations/network-programming/${name}`, approved },
  };
}

async function judge(
  { inputs }: Plan,
  project: string,
  ctx: steps.Context,
): Promise<steps.Judgements> {
  return {
    handshake: await steps.checkHandshake(project, ctx),
    tested: await steps.test(project, { messages: inputs.messages, subprotocols: undefined }, ctx),
  };
}
