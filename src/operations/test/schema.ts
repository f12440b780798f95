import * as z from 'zod';
import { Subprotocol } from '../../core/fields.ts';
import { Grade, GradeCounts } from '../../core/grade.ts';
import { targetFields } from '../../target/fields.ts';

const Status = z.enum(['passed', 'failed', 'interrupted']);

export const TestInput = z
  .strictObject({
    ...targetFields,
    messages: z
      .int()
      .min(1)
      .max(100_000)
      .default(100)
      .describe('round trips that measure the latency'),
    subprotocols: z
      .array(Subprotocol)
      .refine((names) => new Set(names).size === names.length, 'expected each name once')
      .default([])
      .describe('subprotocol to offer; repeatable')
      .meta({ flag: 'subprotocol', placeholder: 'name' }),
    compression: z.boolean().default(false).describe('offer permessage-deflate and check it'),
    maxPayload: z
      .int()
      .min(1)
      .max(0x7fffffff)
      .optional()
      .describe(
        'largest message that the server has to accept; larger ones it has to refuse ' +
          '(default: the limit of --project, or it is found out)',
      )
      .meta({ placeholder: 'bytes' }),
    echo: z
      .boolean()
      .optional()
      .describe(
        'the server must (or does not) send each message back (default: a first message finds out)',
      ),
    send: z.string().optional().describe('text to send before waiting for --expect'),
    expect: z
      .string()
      .min(1)
      .optional()
      .describe('text that a message from the server must contain'),
    ownTests: z
      .boolean()
      .default(false)
      .describe('also run the tests that a --project brings along, for 5 minutes at most'),
    expectStatus: z
      .int()
      .min(100)
      .max(599)
      .optional()
      .describe(
        'HTTP status with which the server must refuse the handshake; nothing else is checked',
      )
      .meta({ placeholder: 'status' }),
  })
  .refine((input) => (input.url === undefined) !== (input.project === undefined), {
    message: 'expected either a url or a project',
    path: ['url'],
  })
  .refine((input) => !input.ownTests || input.project !== undefined, {
    message: 'expected a project, whose tests are to be run',
    path: ['ownTests'],
  });
export type TestInput = z.output<typeof TestInput>;

/** One check of an endpoint: what it is about, how it ended and why. */
export const CheckRow = z.object({
  id: z.string(),
  /** Section that asks for it, as `6455#5.2`; empty where it is a promise of the project. */
  rfc: z.string(),
  title: z.string(),
  verdict: Grade,
  /** What was seen, and what was expected if that is not the same. */
  detail: z.string(),
  durationMs: z.number(),
});
export type CheckRow = z.output<typeof CheckRow>;

const Metrics = z.object({
  messagesSent: z.number(),
  messagesReceived: z.number(),
  lost: z.number(),
  /** What a round trip was: an echoed message, or a ping and its pong. */
  roundTrip: z.enum(['echo', 'ping']).nullable(),
  avgLatencyMs: z.number().nullable(),
  p50Ms: z.number().nullable(),
  p95Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
  /** Bytes on the wire by bytes of payload, of the messages of the compression check. */
  compressionRatio: z.number().nullable(),
  compressionRatioSent: z.number().nullable(),
  compressionRatioReceived: z.number().nullable(),
  /** On the wire, over all connections, before TLS. */
  bytesSent: z.number(),
  bytesReceived: z.number(),
  durationMs: z.number(),
});
export type Metrics = z.output<typeof Metrics>;

export const TestReport = z.object({
  operation: z.literal('test'),
  target: z.string(),
  status: Status,
  handshake: z.object({
    /** The subprotocol the server selected. */
    protocol: z.string().nullable(),
    /** The server's Sec-WebSocket-Extensions; empty for none. */
    extensions: z.string(),
  }),
  metrics: Metrics,
  checks: z.array(CheckRow),
  summary: GradeCounts,
  success: z.boolean(),
});
export type TestReport = z.output<typeof TestReport>;
