import * as z from 'zod';
import { HeaderName, DurationMs, Subprotocol } from '../../../core/fields.ts';
import { CloseCode, isSendableCloseCode } from '../../../protocol/index.ts';

/** The shapes of the parts of a scenario file, each strict; what they mean together is checked later. */

const Text = z.string().min(1, 'expected a text that is not empty');
const Names = z.union([z.string(), z.array(z.string())], 'expected a path or a list of paths');
const Duration = z
  .custom(
    (value) => DurationMs.safeParse(value).success,
    'expected a duration such as 500ms or 10s',
  )
  .transform((value) => DurationMs.parse(value));
const Scalar = z.union([z.string(), z.number(), z.boolean()], 'expected a text').transform(String);

export const RootShape = z.strictObject({
  name: Text.optional(),
  description: z.string().optional(),
  data: z.record(z.string(), z.unknown(), 'expected a mapping of variables').optional(),
  clients: z.array(z.unknown(), 'expected a list of clients').optional(),
  steps: z.array(z.unknown(), 'expected a list of steps').optional(),
  on: z.array(z.unknown(), 'expected a list of handlers').optional(),
});

export const ClientShape = z.strictObject({
  name: Text.optional(),
  weight: z.number('expected a number').positive('expected more than 0').max(1e6).default(1),
  steps: z.array(z.unknown(), 'expected a list of steps'),
  on: z.array(z.unknown(), 'expected a list of handlers').optional(),
});

export const ConnectShape = z.strictObject({
  path: z.string().startsWith('/', 'expected a path that begins with "/"').optional(),
  query: z.record(z.string(), Scalar, 'expected a mapping of names to values').optional(),
  headers: z.record(HeaderName, Scalar, 'expected a mapping of names to values').optional(),
  subprotocol: z
    .union([Subprotocol, z.array(Subprotocol)], 'expected a name or a list of names')
    .optional(),
});

export const SendShape = z.strictObject({
  text: Scalar.optional(),
  json: z.unknown().optional(),
  binary: z.string('expected base64').optional(),
});

const MATCHER = {
  any: z.literal(true, 'expected true').optional(),
  json: z.record(z.string(), z.unknown(), 'expected a mapping of paths to values').optional(),
  exists: Names.optional(),
  absent: Names.optional(),
  contains: Text.optional(),
  text: Scalar.optional(),
  regex: z.string('expected a regular expression').optional(),
  binary: z.string('expected base64').optional(),
};

export const MatcherShape = z.strictObject(MATCHER);
export type MatcherShape = z.output<typeof MatcherShape>;

export const CaptureShape = z.strictObject({
  json: z.string().optional(),
  regex: z.string().optional(),
  group: z.union([z.int().min(0), z.string()], 'expected a number or a name').default(1),
});

export const ExpectShape = z.strictObject({
  ...MATCHER,
  check: z.unknown().optional(),
  capture: z.record(z.string(), z.unknown(), 'expected a mapping of names to paths').optional(),
  timeout: Duration.optional(),
  label: Text.max(60).optional(),
});

export const HandlerShape = z.strictObject({
  name: Text.max(60).optional(),
  ...MATCHER,
  capture: ExpectShape.shape.capture,
  answer: z.unknown().optional(),
});

export const LoopShape = z.strictObject({
  times: z.int('expected a whole number').min(1, 'expected 1 or more').optional(),
  for: Duration.optional(),
  forever: z.literal(true, 'expected true').optional(),
  every: Duration.optional(),
  steps: z.array(z.unknown(), 'expected a list of steps'),
});

export const CloseShape = z
  .int('expected a close code')
  .refine(isSendableCloseCode, 'expected a close code that may be sent')
  .default(CloseCode.normal);

const PER = ['client', 'iteration', 'pass'] as const;

export const VariableShape = z.strictObject({
  integer: z.unknown().optional(),
  text: z.unknown().optional(),
  uuid: z.literal(true, 'expected true').optional(),
  sequence: z.int('expected the whole number to begin with').optional(),
  choice: z.array(z.unknown(), 'expected a list').min(1, 'expected one value or more').optional(),
  list: z.array(z.unknown(), 'expected a list').min(1, 'expected one value or more').optional(),
  csv: Text.optional(),
  step: z.int('expected a whole number').optional(),
  order: z.enum(['cycle', 'random'], 'expected cycle or random').optional(),
  per: z.enum(PER, `expected ${PER.join(', ')}`).default('iteration'),
});
