import * as z from 'zod';
import { DurationMs, HeaderLine, Subprotocol, WebSocketUrl } from '../core/fields.ts';
import type { LoadPlan } from './plan.ts';

/** More than any machine can hold, and little enough that no number overflows on the way. */
const MOST_CONNECTIONS = 10_000_000;
const MOST_THREADS = 1024;
const MOST_BYTES = 1024 ** 3;
const MOST_MS = 7 * 86_400_000;

const Ms = z.number().min(0).max(MOST_MS);
const Seed = z.number();
const Size = z.int().min(0).max(MOST_BYTES);

const Target = z.strictObject({
  url: WebSocketUrl,
  headers: z
    .array(z.tuple([z.string(), z.string()]))
    // The engines write them as they are: a line break would let them write more than a header.
    .refine(
      (headers) => headers.every((pair) => HeaderLine.safeParse(pair.join(': ')).success),
      'expected names and values of headers',
    ),
  subprotocols: z.array(Subprotocol),
  compression: z.boolean(),
  tokens: z.array(z.string().regex(/^[^\r\n]*$/, 'expected a token on one line')),
  insecure: z.boolean(),
  ca: z.string().nullable(),
  cert: z.string().nullable(),
  key: z.string().nullable(),
  sourceAddresses: z.array(z.union([z.ipv4(), z.ipv6()])),
});

const Load = z.discriminatedUnion('model', [
  z.strictObject({
    model: z.literal('open'),
    rate: z.number().min(0).max(1e9),
    arrivals: z.enum(['constant', 'poisson']),
    seed: Seed,
  }),
  z.strictObject({
    model: z.literal('closed'),
    depth: z.int().min(1).max(1_000_000),
    seed: Seed,
  }),
]);

const Message = z.strictObject({
  opcode: z.union([z.literal(1), z.literal(2)]),
  size: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('fixed'), bytes: Size }),
    z
      .strictObject({ kind: z.literal('uniform'), min: Size, max: Size })
      .refine(({ min, max }) => min <= max, 'expected min <= max'),
    z.strictObject({ kind: z.literal('sample'), base64: z.base64() }),
  ]),
});

/** Holds a plan that came from elsewhere to what the engines rely on. */
export const LoadPlanSchema: z.ZodType<LoadPlan> = z.strictObject({
  target: Target,
  mode: z.enum(['echo', 'fanout', 'connect', 'idle']),
  connections: z.int().min(1).max(MOST_CONNECTIONS),
  load: Load,
  message: Message,
  phases: z.strictObject({
    rampMs: Ms,
    warmupMs: Ms,
    durationMs: Ms,
    drainMs: Ms,
    connectTimeoutMs: DurationMs,
  }),
  workers: z.int().min(1).max(MOST_THREADS),
  precise: z.boolean(),
  engine: z.enum(['fast', 'client']),
  fanout: z
    .strictObject({
      publishers: z.int().min(1),
      join: z.array(z.string()),
      publish: z.string(),
      toSelf: z.boolean(),
    })
    .nullable(),
  share: z
    .strictObject({ index: z.int().min(0), of: z.int().min(1) })
    .refine(({ index, of }) => index < of, 'expected index < of')
    .exactOptional(),
});
