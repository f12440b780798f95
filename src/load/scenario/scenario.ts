import * as z from 'zod';
import { invalidInput } from '../../core/errors.ts';

/*
 * A scenario as it is run: parsed, checked, with its files read, and plain JSON, so that it can be
 * sent to other threads and machines. A parser makes these values from YAML; `checkScenario` checks
 * those that come from another machine.
 */

/** `line:column` of the step in the file, for messages of errors. */
const At = z.string();
const Milliseconds = z.number().min(0).max(86_400_000);
const Opcode = z.union([z.literal(1), z.literal(2)]);
const Regex = z.string().refine(isRegex, 'expected a regular expression');

/** Names and indices; a negative index counts from the end. */
const JsonPath = z.array(z.union([z.string(), z.number()])).readonly();
export type JsonPath = z.output<typeof JsonPath>;

const TemplatePart = z.union([
  z.string(),
  z
    .strictObject({
      name: z.string(),
      path: JsonPath,
      /** As plain text, as a JSON value, or as a part of a JSON string. */
      as: z.enum(['text', 'value', 'string']),
    })
    .readonly(),
]);
export type TemplatePart = z.output<typeof TemplatePart>;

/** Parts that are joined. A JSON template gives JSON text. */
const Template = z.array(TemplatePart).readonly();
export type Template = z.output<typeof Template>;

const Pairs = z.array(z.tuple([z.string(), Template]).readonly()).readonly();

/** A condition on a message: all of its parts have to hold; without any, every message matches. */
const Matcher = z
  .strictObject({
    /** Values at paths of a JSON text. */
    json: z.array(z.strictObject({ path: JsonPath, equals: Template }).readonly()).readonly(),
    exists: z.array(JsonPath).readonly(),
    absent: z.array(JsonPath).readonly(),
    contains: Template.nullable(),
    /** The whole text. */
    text: Template.nullable(),
    regex: Regex.nullable(),
    /** The whole payload of a binary message, base64. */
    binary: z.string().nullable(),
    /** For messages to the user: `json $.type = "ack"`. */
    words: z.string(),
  })
  .readonly();
export type Matcher = z.output<typeof Matcher>;

const Capture = z
  .strictObject({
    name: z.string(),
    from: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('json'), path: JsonPath }).readonly(),
      z
        .strictObject({
          kind: z.literal('regex'),
          source: Regex,
          group: z.union([z.number(), z.string()]),
        })
        .readonly(),
    ]),
  })
  .readonly();
export type Capture = z.output<typeof Capture>;

const ConnectStep = z
  .strictObject({
    kind: z.literal('connect'),
    at: At,
    /** Replaces the path of the target; null: the target's. */
    path: Template.nullable(),
    query: Pairs,
    headers: Pairs,
    subprotocols: z.array(z.string()).readonly(),
  })
  .readonly();
export type ConnectStep = z.output<typeof ConnectStep>;

const SendStep = z
  .strictObject({
    kind: z.literal('send'),
    at: At,
    opcode: Opcode,
    payload: Template,
    /** Whether an expectation waits for its reply: only then it is a measured message. */
    awaited: z.boolean(),
    /** Number among the sends of its client, by which expectations refer to it. */
    id: z.int(),
  })
  .readonly();
export type SendStep = z.output<typeof SendStep>;

const ExpectStep = z
  .strictObject({
    kind: z.literal('expect'),
    at: At,
    match: Matcher,
    /** A further condition on the message that matched; null: none. */
    check: Matcher.nullable(),
    captures: z.array(Capture).readonly(),
    timeoutMs: Milliseconds,
    label: z.string().nullable(),
    /** The send whose reply this is; null: it is no reply. */
    replyTo: z.int().nullable(),
    /** Whether it is the first reply to that send, which completes the message. */
    completes: z.boolean(),
    /** Whether it is inside of a loop: its label then counts in the measured phase only. */
    looped: z.boolean(),
  })
  .readonly();
export type ExpectStep = z.output<typeof ExpectStep>;

/** A random time from `minMs` to `maxMs`. */
const ThinkStep = z
  .strictObject({ kind: z.literal('think'), at: At, minMs: Milliseconds, maxMs: Milliseconds })
  .readonly();
export type ThinkStep = z.output<typeof ThinkStep>;

const CloseStep = z.strictObject({ kind: z.literal('close'), at: At, code: z.int() }).readonly();

const LoopHead = z.strictObject({
  kind: z.literal('loop'),
  at: At,
  until: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('times'), times: z.int().min(1) }).readonly(),
    z.strictObject({ kind: z.literal('for'), ms: Milliseconds }).readonly(),
    z.strictObject({ kind: z.literal('forever') }).readonly(),
  ]),
  /** Time between the starts of two passes; null: as fast as the steps allow. */
  everyMs: Milliseconds.nullable(),
  /** Messages with a reply in one pass; loops that end by time count once. */
  messages: z.int().min(0),
});
export type LoopStep = Readonly<z.output<typeof LoopHead>> & { readonly steps: readonly Step[] };

export type Step =
  ConnectStep | SendStep | ExpectStep | ThinkStep | LoopStep | z.output<typeof CloseStep>;
const Step: z.ZodType<Step> = z.lazy(() =>
  z.discriminatedUnion('kind', [
    ConnectStep,
    SendStep,
    ExpectStep,
    ThinkStep,
    LoopHead.extend({ steps: z.array(Step) }),
    CloseStep,
  ]),
);

const Handler = z
  .strictObject({
    at: At,
    name: z.string(),
    match: Matcher,
    captures: z.array(Capture).readonly(),
    answer: z.strictObject({ opcode: Opcode, payload: Template }).readonly().nullable(),
  })
  .readonly();
export type Handler = z.output<typeof Handler>;

/** Some of the virtual clients: `weight` is their share compared with the other kinds. */
const ClientKind = z
  .strictObject({
    name: z.string(),
    weight: z.number().positive(),
    steps: z.array(Step).min(1).readonly(),
    /** Handlers of messages that no step waits for; the first that matches takes it. */
    on: z.array(Handler).readonly(),
  })
  .readonly();
export type ClientKind = z.output<typeof ClientKind>;

const Source = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('integer'), min: z.int(), max: z.int() }).readonly(),
  z.strictObject({ kind: z.literal('text'), min: z.int().min(0), max: z.int() }).readonly(),
  z.strictObject({ kind: z.literal('uuid') }).readonly(),
  z.strictObject({ kind: z.literal('sequence'), from: z.int(), step: z.int() }).readonly(),
  z
    .strictObject({
      kind: z.literal('values'),
      /** Random, or one after the other and then from the start again. */
      order: z.enum(['random', 'cycle']),
      values: z.array(z.unknown()).min(1).readonly(),
    })
    .readonly(),
]);
export type Source = z.output<typeof Source>;

const Variable = z
  .strictObject({
    name: z.string(),
    /** When it gets a new value: per client, per iteration of the steps, or per pass of a loop. */
    per: z.enum(['client', 'iteration', 'pass']),
    source: Source,
  })
  .readonly();
export type Variable = z.output<typeof Variable>;

const Scenario = z
  .strictObject({
    name: z.string(),
    variables: z.array(Variable).readonly(),
    clients: z.array(ClientKind).min(1).readonly(),
  })
  .readonly();
export type Scenario = z.output<typeof Scenario>;

/**
 * Checks that JSON of another machine has the shape of a parsed scenario.
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT.
 */
export function checkScenario(value: unknown): Scenario {
  const result = Scenario.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue === undefined ? '' : `${issue.path.join('.')}: ${issue.message}`;
  throw invalidInput(`this is not a scenario: ${where}`);
}

function isRegex(source: string): boolean {
  try {
    new RegExp(source);
    return true;
  } catch {
    return false;
  }
}
