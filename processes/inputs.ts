/*
 * The inputs that processes share: names of languages and features, in the forms in which people write
 * them, and where the project goes. What is not there is refused by name, before a run exists.
 */

import * as z from 'zod';
import { checkInput } from '../src/core/derive/input.ts';
import { didYouMean } from '../src/core/did-you-mean.ts';
import { invalidInput } from '../src/core/errors.ts';
import { resolveAnswers } from '../src/generate/answers.ts';
import { CLIENT_LANGUAGE } from '../src/generate/client.ts';
import { AutobahnTestInput } from '../src/operations/autobahn-test/schema.ts';
import { BenchmarkInput } from '../src/operations/benchmark/schema.ts';
import { GenerateClientInput } from '../src/operations/generate-client/schema.ts';
import { GenerateServerInput } from '../src/operations/generate-server/schema.ts';

/** Names for the servers that run on Node: those of a chat server are TypeScript, an echo server is not. */
const NODEJS = ['nodejs', 'node', 'typescript', 'ts', 'javascript', 'js'];

/** Other names of languages. */
const LANGUAGES: Readonly<Record<string, string>> = { golang: 'go', py: 'python' };

/** `Node.js` and `NodeJS` are nodejs, `golang` is go, `py` is python. */
export const ServerLanguage = z.preprocess(
  named((word) => (NODEJS.includes(word) ? 'nodejs' : (LANGUAGES[word] ?? word))),
  GenerateServerInput.shape.language.default('nodejs'),
);

/** `TypeScript` and `ts` are typescript, `golang` is go, `py` is python. */
export const ClientLanguage = z.preprocess(
  named((word) => (word === 'ts' ? 'typescript' : (LANGUAGES[word] ?? word))),
  GenerateClientInput.shape.language.default(CLIENT_LANGUAGE),
);

function named(nameOf: (word: string) => string) {
  return (value: string): unknown => (typeof value === 'string' ? nameOf(bare(value)) : value);
}

/** Without case, points, spaces, dashes and underscores: `Rate-Limit` and `rateLimit` are the same. */
function bare(name: string): string {
  return name.toLowerCase().replace(/[\s._-]/g, '');
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

/** Whether `value` is an object with keys: neither a list nor null. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Checks the inputs of a process against its schema, and those that hold `choices` field by field.
 *
 * @throws UsageError naming the input that is unknown or wrong
 */
export function check<Inputs extends z.ZodObject>(
  schema: Inputs,
  inputs: unknown,
  choices: Readonly<Record<string, z.ZodObject>>,
): z.output<Inputs> {
  if (!isRecord(inputs)) {
    throw invalidInput(`the inputs are ${JSON.stringify(inputs)}, expected an object`);
  }
  for (const [name, fields] of Object.entries(choices)) {
    const given = inputs[name];
    if (isRecord(given)) checkInput(fields, given, 'field', name);
  }
  return checkInput(schema, inputs);
}

/** The forms of `features`: `["rooms"]`, `rooms,presence` or `{ "rooms": true }`. */
export const Features = z
  .union([z.array(z.string()), z.string(), z.record(z.string(), z.unknown())])
  .optional()
  .meta({ expected: 'names of features as a list, a text or an object' });
export type Features = z.input<typeof Features>;

/** A feature by its name; those of an object have the value that it gives. */
export type FeatureChoices<Name extends string> = ReadonlyMap<Name, unknown>;

/**
 * Reads features in any of their forms.
 *
 * @param known names of the features
 * @param valued those of them that may have another value than true or false
 * @throws UsageError naming the feature that is unknown, named twice or has no such value
 */
export function readFeatures<Name extends string>(
  given: Features,
  known: readonly Name[],
  valued: readonly Name[] = [],
): FeatureChoices<Name> {
  const entries =
    typeof given === 'object' && !Array.isArray(given)
      ? Object.entries(given).filter(([, value]) => value !== undefined)
      : wordsOf(given).map((name) => [name, true] as const);
  const found = new Map<Name, unknown>();
  for (const [word, value] of entries) {
    const name = known.find((one) => bare(one) === bare(word));
    if (name === undefined) throw unknownFeature(word, known);
    if (found.has(name) && found.get(name) !== value) {
      throw invalidInput(`features holds ${name} twice, with different values`);
    }
    if (typeof value !== 'boolean' && !valued.includes(name)) {
      throw invalidInput(`features.${word} is ${JSON.stringify(value)}, expected true or false`);
    }
    found.set(name, value);
  }
  return found;
}

function wordsOf(given: string | readonly string[] = []): readonly string[] {
  return typeof given === 'string' ? given.split(',').map((name) => name.trim()) : given;
}

function unknownFeature(word: string, known: readonly string[]): Error {
  const text = `features holds ${JSON.stringify(word)}, expected one of ${known.join(', ')}`;
  return invalidInput(text, didYouMean(word, known));
}

/** Those of `names` that are switched on, in the order in which they were given. */
export function switchedOn<Name extends string>(
  choices: FeatureChoices<string>,
  names: readonly Name[],
): Name[] {
  return [...choices].flatMap(([name, value]) =>
    value === true ? names.filter((one) => one === name) : [],
  );
}

/** @throws UsageError for one of `names` that is switched off, though `what` always has it */
export function refuseOff(
  choices: FeatureChoices<string>,
  names: readonly string[],
  what: string,
): void {
  const off = names.find((name) => choices.get(name) === false);
  if (off === undefined) return;
  throw invalidInput(`features.${off} is false, but every ${what} has it`, 'leave it out');
}

/**
 * Refuses what generate-server would refuse: features that contradict the type.
 *
 * @throws UsageError
 */
export function checkServer(config: z.input<typeof GenerateServerInput>): void {
  const { output: baseName = '', ...choices } = checkInput(
    z.strictObject(GenerateServerInput.shape),
    config,
  );
  resolveAnswers(choices, { form: 'project', baseName });
}

/** A package name made from `name`, for a folder, too. */
export function slug(name: string | undefined, otherwise: string): string {
  const word = (name ?? otherwise).toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
  return (
    word
      .replace(/^[^a-z0-9]+/, '')
      .slice(0, 100)
      .replace(/-+$/, '') || otherwise
  );
}

/** The folder `outputDir`, else one with the name of the project. */
export function folderOf(outputDir: string | undefined, name: string): string {
  const given = outputDir ?? name;
  // With the slash, a name such as `app.js` is a folder, too.
  return /\.(?:[cm]?[jt]s|py|go)$/.test(given) && outputDir === undefined ? `${given}/` : given;
}

/** The name in package.json of one `part` of a project. */
export function packageName(project: string, part: string): string {
  return `${project.replace(/\.[cm]?[jt]s$/, '')}-${part}`;
}
