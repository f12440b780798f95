import * as z from 'zod';
import { DurationMs, HeaderLine, Subprotocol, WebSocketUrl } from '../core/fields.ts';

/** More than any machine can hold, and small enough that no sum of the load generator overflows. */
const MAX_CONNECTIONS = 10_000_000;
const MAX_THREADS = 1024;
const MAX_BYTES = 1024 ** 3;
const MAX_MS = 7 * 86_400_000;

const Milliseconds = z.number().min(0).max(MAX_MS);
const Seed = z.number();
const Size = z.int().min(0).max(MAX_BYTES);

const LoadTarget = z
  .strictObject({
    url: WebSocketUrl,
    headers: z
      .array(z.tuple([z.string(), z.string()]).readonly())
      // The engines write them unchecked: a line break would add a header.
      .refine(
        (headers) => headers.every((pair) => HeaderLine.safeParse(pair.join(': ')).success),
        'expected names and values of headers',
      )
      .readonly(),
    subprotocols: z.array(Subprotocol).readonly(),
    /** Whether permessage-deflate is offered; only the engine `client` can. */
    compression: z.boolean(),
    /** Connections take them in turn and send `Authorization: Bearer`; empty: none. */
    tokens: z.array(z.string().regex(/^[^\r\n]*$/, 'expected a token on one line')).readonly(),
    /** Accept any certificate. */
    insecure: z.boolean(),
    /** PEM texts. */
    ca: z.string().nullable(),
    cert: z.string().nullable(),
    key: z.string().nullable(),
    /** Local addresses to connect from, in turn; empty: the system's choice. */
    sourceAddresses: z.array(z.union([z.ipv4(), z.ipv6()])).readonly(),
  })
  .readonly();
export type LoadTarget = z.output<typeof LoadTarget>;

/** Open model: messages are due by a schedule, whatever the server does. */
const OpenLoad = z
  .strictObject({
    model: z.literal('open'),
    /** Messages per second of all connections together; 0: as fast as possible. */
    rate: z.number().min(0).max(1e9),
    /** The rate was given for each connection: those that are refused take their part with them. */
    perConnection: z.boolean().exactOptional(),
    arrivals: z.enum(['constant', 'poisson']),
    /** Of the random arrivals and payloads; the same seed gives the same schedule. */
    seed: Seed,
  })
  .readonly();
export type OpenLoad = z.output<typeof OpenLoad>;

/** Closed model: each connection keeps `depth` messages in flight. */
const ClosedLoad = z
  .strictObject({
    model: z.literal('closed'),
    depth: z.int().min(1).max(1_000_000),
    seed: Seed,
  })
  .readonly();
export type ClosedLoad = z.output<typeof ClosedLoad>;

/** Payload of `min` to `max` bytes, both included. */
const UniformSize = z
  .strictObject({ kind: z.literal('uniform'), min: Size, max: Size })
  .refine(({ min, max }) => min <= max, 'expected min <= max')
  .readonly();
export type UniformSize = z.output<typeof UniformSize>;

const MessagePlan = z
  .strictObject({
    /** RFC 6455 section 5.6. */
    opcode: z.union([z.literal(1), z.literal(2)]),
    size: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('fixed'), bytes: Size }).readonly(),
      UniformSize,
      /** This payload, unchanged. */
      z.strictObject({ kind: z.literal('sample'), base64: z.base64() }).readonly(),
    ]),
  })
  .readonly();
export type MessagePlan = z.output<typeof MessagePlan>;

const Phases = z
  .strictObject({
    /** Time over which connections are opened; 0: as fast as possible. */
    rampMs: Milliseconds,
    /** Measured, then discarded. */
    warmupMs: Milliseconds,
    durationMs: Milliseconds,
    /** Time to wait for replies after the last message was due. */
    drainMs: Milliseconds,
    /** Time limit of an opening handshake. */
    connectTimeoutMs: DurationMs,
  })
  .readonly();
export type Phases = z.output<typeof Phases>;

const FanoutPlan = z
  .strictObject({
    /** Connections that publish; the others only receive. */
    publishers: z.int().min(1),
    /** Texts that each open connection sends first, such as one that joins a room. */
    join: z.array(z.string()).readonly(),
    /** Template of what is published; `{{id}}` becomes 16 digits that identify the message. */
    publish: z.string(),
    /** Whether a publisher receives its own message. */
    toSelf: z.boolean(),
  })
  .readonly();
export type FanoutPlan = z.output<typeof FanoutPlan>;

/** Echo: round trips; fanout: deliveries; connect: handshakes; idle: connections without messages. */
export const Mode = z.enum(['echo', 'fanout', 'connect', 'idle']);
export type Mode = z.output<typeof Mode>;

/**
 * One run with every value resolved: made from the input of `benchmark` before any connection is
 * opened, cloned to worker threads and sent as JSON to other machines.
 */
export const LoadPlan = z
  .strictObject({
    target: LoadTarget,
    mode: Mode,
    connections: z.int().min(1).max(MAX_CONNECTIONS),
    load: z.discriminatedUnion('model', [OpenLoad, ClosedLoad]),
    message: MessagePlan,
    phases: Phases,
    /** Threads that carry the connections. */
    workers: z.int().min(1).max(MAX_THREADS),
    /** Busy-wait between two sends instead of using the timer thread; takes a core per worker. */
    precise: z.boolean(),
    /** `client` is the full client: slower, with compression. */
    engine: z.enum(['fast', 'client']),
    /** For the mode `fanout` only. */
    fanout: FanoutPlan.nullable(),
    /** Part `index` (from 0) of a run split into `of` parts; absent: the whole run. */
    segment: z
      .strictObject({ index: z.int().min(0), of: z.int().min(1) })
      .refine(({ index, of }) => index < of, 'expected index < of')
      .readonly()
      .exactOptional(),
  })
  .readonly();
export type LoadPlan = z.output<typeof LoadPlan>;
