/*
 * The inputs of realtime-messaging-system and its variants, and what they ask the tasks for.
 */

import * as z from 'zod';
import { checkInput } from '../src/core/derive/input.ts';
import { invalidInput } from '../src/core/errors.ts';
import { FEATURES } from '../src/generate/answers.ts';
import type { Feature } from '../src/generate/answers.ts';
import { CLIENT_TYPES, COMMON_CLIENT_FEATURES } from '../src/generate/client.ts';
import type { ClientType } from '../src/generate/client.ts';
import { GenerateServerInput } from '../src/operations/generate-server/schema.ts';
import { TestInput } from '../src/operations/test/schema.ts';
import * as given from './inputs.ts';
import type { ClientArgs, GenerateArgs } from './steps.ts';

const server = GenerateServerInput.shape;

/** Inputs of the processes; everything has a default. */
export const MessagingInputs = z.strictObject({
  projectName: z.string().min(1).optional(),
  /** Of the server; the client is in TypeScript. */
  language: given.ServerLanguage,
  /** Default: what the features are of. */
  type: z.enum(CLIENT_TYPES).optional(),
  /**
   * Names of features, as a list, as `presence,history`, or as `{ "pubSub": true, "scaling": "redis" }`.
   * `pubSub` is topics: those of the type pubsub, or the rooms of a chat server. `scaling` is the feature redis:
   * two servers on one Redis are held to the contract.
   */
  features: given.Features,
  /** Holds `server/`, `client/`, `load/` and `report.html`; default the project's name. */
  outputDir: z.string().min(1).optional(),
  port: server.port,
  compression: server.compression,
  /** Round trips to measure. */
  messages: TestInput.shape.messages,
  /** Overwrite files that differ. */
  force: server.force,
  /** Whether a client is generated and tested, and whether it has React hooks; default true. */
  client: z
    .union([z.boolean(), z.strictObject({ react: z.boolean().optional() })])
    .optional()
    .meta({ expected: 'true, false or an object with react' }),
  /** Whether the server is put under load, and how; default true. */
  benchmark: given.choice(given.BenchmarkChoices),
  /** What has to hold under load, `["p99<20ms"]` or `p99<20ms, errors<0.1%`; without, only errors fail it. */
  thresholds: z
    .union([z.array(z.string()), z.string()])
    .optional()
    .meta({ expected: 'thresholds as a list or a text' }),
  /** Message handling that an agent writes into the server before it is tested. */
  customHandlers: z.string().optional(),
  /** Whether someone has to approve what was generated before it is started. */
  review: z.boolean().optional(),
});
export type MessagingInputs = z.input<typeof MessagingInputs>;

/** What a variant is about. */
export interface Variant {
  /** The last part of its id, and the project's name without another. */
  readonly name: string;
  /** Undefined: what the features are of. */
  readonly type?: ClientType;
  readonly features: readonly FeatureName[];
}

const NAMES = [
  ...FEATURES,
  'pubSub',
  'scaling',
  'compression',
  'ping-pong',
  ...COMMON_CLIENT_FEATURES,
] as const;
type FeatureName = (typeof NAMES)[number];

/** Checked inputs, completed by what the variant has as defaults. */
export interface Plan {
  readonly inputs: Omit<MessagingInputs, 'features' | 'language' | 'type'>;
  readonly type: ClientType;
  readonly features: readonly Feature[];
  readonly benchmark: boolean | given.BenchmarkChoices;
  readonly outputDir: string;
  readonly server: GenerateArgs & { readonly output: string; readonly language: string };
  readonly client: (ClientArgs & { readonly output: string }) | null;
}

/**
 * Checks inputs; `websocket-skill run` does so before it creates a run.
 *
 * @throws UsageError naming the input that is unknown or wrong
 */
export function planOf(inputs: unknown, variant: Variant): Plan {
  const { language } = given.check(MessagingInputs, inputs, { benchmark: given.BenchmarkChoices });
  const { features: named, type: wanted, ...others } = inputs as MessagingInputs;
  const choices = completed(
    withRedis(given.readFeatures(named, NAMES, ['scaling', 'compression'])),
    variant,
  );
  given.refuseOff(choices, ['ping-pong'], 'server');
  given.refuseOff(choices, COMMON_CLIENT_FEATURES, 'client');
  const type = wanted ?? variant.type ?? typeOf(choices);
  const features = featuresOf(type, choices);
  const compression = others.compression ?? choices.get('compression');
  const name = given.slug(others.projectName, variant.name);
  const outputDir = given.folderOf(others.outputDir, name).replace(/\/+$/, '') || '/';
  const plan: Plan = {
    inputs: others,
    type,
    features,
    benchmark: benchmarkOf(others),
    outputDir,
    server: {
      language,
      type,
      features: [...features],
      name: given.packageName(name, 'server'),
      output: `${outputDir}/server`,
      force: others.force ?? false,
      ...(others.port !== undefined && { port: others.port }),
      ...(compression !== undefined && { compression: compression as boolean }),
    },
    client:
      others.client === false
        ? null
        : {
            name: given.packageName(name, 'client'),
            output: `${outputDir}/client`,
            react: typeof others.client === 'object' && others.client.react === true,
            force: others.force ?? false,
          },
  };
  given.checkServer(plan.server);
  return plan;
}

/** `scaling` in other words: whether there is the feature redis. */
function withRedis(choices: given.FeatureChoices<FeatureName>): given.FeatureChoices<FeatureName> {
  const redis = redisOf(choices.get('scaling'));
  if (redis === undefined) return choices;
  if (choices.has('redis') && choices.get('redis') !== redis) {
    throw invalidInput(
      `features.scaling is ${JSON.stringify(choices.get('scaling'))}, but features.redis is ${String(choices.get('redis'))}`,
      'leave one of the two out',
    );
  }
  return new Map([...choices, ['redis', redis] as const]);
}

/** The features of the variant where none is switched on, without those that are switched off. */
function completed(
  choices: given.FeatureChoices<FeatureName>,
  { features }: Variant,
): given.FeatureChoices<FeatureName> {
  // What servers share is no part of what they do.
  const isOwn = (name: string): boolean =>
    name === 'pubSub' || (name !== 'redis' && FEATURES.some((feature) => feature === name));
  if ([...choices].some(([name, value]) => isOwn(name) && value === true)) return choices;
  return new Map([...features.map((name) => [name, true] as const), ...choices]);
}

/**
 * Whether servers share a Redis: `redis`, or true, as there is nothing else; `false`, `none` and `memory` are
 * one server with its state in memory. Undefined where nothing is said.
 */
function redisOf(scaling: unknown): boolean | undefined {
  if (scaling === undefined || typeof scaling === 'boolean') return scaling;
  const word = typeof scaling === 'string' ? scaling.toLowerCase() : scaling;
  if (word === 'redis') return true;
  if (word === 'none' || word === 'memory') return false;
  throw invalidInput(
    `features.scaling is ${JSON.stringify(scaling)}, which is not there`,
    'give scaling redis, memory, true or false',
  );
}

/** Topics are those of a pubsub server, unless there are features that only a chat server has. */
function typeOf(choices: given.FeatureChoices<FeatureName>): ClientType {
  const isChat = choices.get('rooms') === true || choices.get('presence') === true;
  return choices.get('pubSub') === true && !isChat ? 'pubsub' : 'chat';
}

function featuresOf(type: ClientType, choices: given.FeatureChoices<FeatureName>): Feature[] {
  const features = given.switchedOn(choices, FEATURES);
  const pubSub = choices.get('pubSub');
  if (pubSub === true && type === 'live-updates') {
    throw invalidInput(
      'features.pubSub is true, but a live-updates server has documents, not topics',
      'leave pubSub out, or give type pubsub',
    );
  }
  if (pubSub === false && type === 'pubsub') {
    throw invalidInput('features.pubSub is false, but type is pubsub', 'leave pubSub out');
  }
  // The topics of a chat server are its rooms.
  return pubSub === true && type === 'chat' && !features.includes('rooms')
    ? ['rooms', ...features]
    : features;
}

function benchmarkOf({
  benchmark = true,
  thresholds,
}: Pick<MessagingInputs, 'benchmark' | 'thresholds'>) {
  if (thresholds === undefined) return benchmark;
  const list =
    typeof thresholds === 'string' ? thresholds.split(',').map((text) => text.trim()) : thresholds;
  if (benchmark === false) {
    throw invalidInput('thresholds are given, but benchmark is false', 'leave one of the two out');
  }
  const choices = benchmark === true ? {} : benchmark;
  if (choices.thresholds !== undefined) {
    throw invalidInput('thresholds are given twice: in benchmark and beside it');
  }
  const { thresholds: rows } = given.BenchmarkChoices.shape;
  checkInput(z.strictObject({ thresholds: rows }), { thresholds: list });
  return { ...choices, thresholds: list };
}
