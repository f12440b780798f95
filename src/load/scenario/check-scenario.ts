import * as z from 'zod';
import { UsageError } from '../../core/errors.ts';
import type { Scenario, Step } from './scenario.ts';

const At = z.string();
const JsonPath = z.array(z.union([z.string(), z.number()]));
const Template = z.array(
  z.union([
    z.string(),
    z.strictObject({ name: z.string(), path: JsonPath, as: z.enum(['text', 'value', 'string']) }),
  ]),
);
const Pairs = z.array(z.tuple([z.string(), Template]));
const Opcode = z.union([z.literal(1), z.literal(2)]);
const Regex = z.string().refine(isRegex, 'expected a regular expression');
const Milliseconds = z.number().min(0).max(86_400_000);

const Matcher = z.strictObject({
  json: z.array(z.strictObject({ path: JsonPath, equals: Template })),
  exists: z.array(JsonPath),
  absent: z.array(JsonPath),
  contains: Template.nullable(),
  text: Template.nullable(),
  regex: Regex.nullable(),
  binary: z.string().nullable(),
  words: z.string(),
});

const Capture = z.strictObject({
  name: z.string(),
  from: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('json'), path: JsonPath }),
    z.strictObject({
      kind: z.literal('regex'),
      source: Regex,
      group: z.union([z.number(), z.string()]),
    }),
  ]),
});

const StepSchema: z.ZodType<Step> = z.lazy(() =>
  z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('connect'),
      at: At,
      path: Template.nullable(),
      query: Pairs,
      headers: Pairs,
      subprotocols: z.array(z.string()),
    }),
    z.strictObject({
      kind: z.literal('send'),
      at: At,
      opcode: Opcode,
      payload: Template,
      awaited: z.boolean(),
      id: z.int(),
    }),
    z.strictObject({
      kind: z.literal('expect'),
      at: At,
      match: Matcher,
      check: Matcher.nullable(),
      captures: z.array(Capture),
      timeoutMs: Milliseconds,
      label: z.string().nullable(),
      replyTo: z.int().nullable(),
      completes: z.boolean(),
      looped: z.boolean(),
    }),
    z.strictObject({ kind: z.literal('think'), at: At, minMs: Milliseconds, maxMs: Milliseconds }),
    z.strictObject({
      kind: z.literal('loop'),
      at: At,
      until: z.discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('times'), times: z.int().min(1) }),
        z.strictObject({ kind: z.literal('for'), ms: Milliseconds }),
        z.strictObject({ kind: z.literal('forever') }),
      ]),
      everyMs: Milliseconds.nullable(),
      messages: z.int().min(0),
      steps: z.array(StepSchema),
    }),
    z.strictObject({ kind: z.literal('close'), at: At, code: z.int() }),
  ]),
);

const Source = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('integer'), min: z.int(), max: z.int() }),
  z.strictObject({ kind: z.literal('text'), min: z.int().min(0), max: z.int() }),
  z.strictObject({ kind: z.literal('uuid') }),
  z.strictObject({ kind: z.literal('sequence'), from: z.int(), step: z.int() }),
  z.strictObject({
    kind: z.literal('values'),
    order: z.enum(['random', 'cycle']),
    values: z.array(z.unknown()).min(1),
  }),
]);

const ScenarioSchema: z.ZodType<Scenario> = z.strictObject({
  name: z.string(),
  variables: z.array(
    z.strictObject({
      name: z.string(),
      per: z.enum(['client', 'iteration', 'pass']),
      source: Source,
    }),
  ),
  clients: z
    .array(
      z.strictObject({
        name: z.string(),
        weight: z.number().positive(),
        steps: z.array(StepSchema).min(1),
        on: z.array(
          z.strictObject({
            at: At,
            name: z.string(),
            match: Matcher,
            captures: z.array(Capture),
            answer: z.strictObject({ opcode: Opcode, payload: Template }).nullable(),
          }),
        ),
      }),
    )
    .min(1),
});

/**
 * Checks what came as JSON from elsewhere: it has the shape of a scenario that was parsed.
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT.
 */
export function checkScenario(value: unknown): Scenario {
  const result = ScenarioSchema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue === undefined ? '' : `${issue.path.join('.')}: ${issue.message}`;
  throw new UsageError('WSK_ERR_INVALID_INPUT', `this is not a scenario: ${where}`);
}

function isRegex(source: string): boolean {
  try {
    new RegExp(source);
    return true;
  } catch {
    return false;
  }
}
