import * as z from 'zod';
import { DurationMs, HeaderLine, Subprotocol, WebSocketUrl } from '../../core/fields.ts';

const Verdict = z.enum(['pass', 'fail', 'skip']);

const Status = z.enum(['passed', 'failed', 'interrupted']);

/** What a header field can carry byte by byte (RFC 9110 section 5.5). */
function isLatin1(text: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(text);
}

/** What every operation of this folder knows about how to reach its endpoint. */
const reach = {
  url: WebSocketUrl.optional().describe('server under test'),
  project: z
    .string()
    .min(1)
    .optional()
    .describe(
      'generated project (folder or single file) to start, check and stop, in place of a url',
    )
    .meta({ placeholder: 'path' }),
  headers: z
    .array(HeaderLine.refine(isLatin1, 'expected characters of ISO 8859-1 only'))
    .default([])
    .describe('extra request header, may be repeated')
    .meta({ flag: 'header' }),
  insecure: z.boolean().default(false).describe('accept any TLS certificate'),
  ca: z
    .string()
    .min(1)
    .optional()
    .describe('file with the PEM certificates to trust')
    .meta({ placeholder: 'file' }),
  timeoutMs: DurationMs.default(5000)
    .describe('bound of the connect and of each check')
    .meta({ flag: 'timeout' }),
};

export const TestInput = z
  .strictObject({
    ...reach,
    messages: z.int().min(1).max(100_000).default(100).describe('round trips to measure'),
    subprotocols: z
      .array(Subprotocol)
      .refine((names) => new Set(names).size === names.length, 'expected each name once')
      .default([])
      .describe('subprotocol to offer, may be repeated')
      .meta({ flag: 'subprotocol', placeholder: 'name' }),
    compression: z.boolean().default(false).describe('offer permessage-deflate and check it'),
    maxPayload: z
      .int()
      .min(1)
      .max(0x7fffffff)
      .default(104_857_600)
      .describe('largest message in bytes a server at --url has to take; a project knows its own')
      .meta({ placeholder: 'bytes' }),
    echo: z
      .boolean()
      .optional()
      .describe('whether the server echoes; found out by a first message if absent'),
    send: z.string().optional().describe('text to send before what --expect waits for'),
    expect: z
      .string()
      .min(1)
      .optional()
      .describe('text that a message from the server has to hold'),
    expectStatus: z
      .int()
      .min(100)
      .max(599)
      .optional()
      .describe('HTTP status the server has to refuse with; nothing else is checked')
      .meta({ placeholder: 'status' }),
  })
  .refine((input) => (input.url === undefined) !== (input.project === undefined), {
    message: 'expected either a url or a project',
    path: ['url'],
  });
export type TestInput = z.output<typeof TestInput>;

/** One check of an endpoint: what it is about, how it ended and why. */
export const CheckRow = z.object({
  id: z.string(),
  /** Section that asks for it, as `6455#5.2`. */
  rfc: z.string(),
  title: z.string(),
  verdict: Verdict,
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
  success: z.boolean(),
});
export type TestReport = z.output<typeof TestReport>;

export const ValidateHandshakeInput = z
  .strictObject({
    ...reach,
    request: z
      .string()
      .min(1)
      .optional()
      .describe('file with the captured head of a request')
      .meta({ placeholder: 'file' }),
    response: z
      .string()
      .min(1)
      .optional()
      .describe('file with the captured head of a response')
      .meta({ placeholder: 'file' }),
    key: z
      .string()
      .optional()
      .describe('Sec-WebSocket-Key that a captured response answers')
      .meta({ placeholder: 'base64' }),
  })
  .refine(
    (input) => {
      const captured = input.request !== undefined || input.response !== undefined;
      return (
        [input.url !== undefined, input.project !== undefined, captured].filter(Boolean).length ===
        1
      );
    },
    { message: 'expected a url, a project, or files with a request or a response', path: ['url'] },
  );
export type ValidateHandshakeInput = z.output<typeof ValidateHandshakeInput>;

/** One rule of the opening handshake and how the endpoint or the captured head keeps it. */
export const RuleRow = z.object({
  id: z.string(),
  rfc: z.string(),
  /** The rule in one sentence. */
  rule: z.string(),
  verdict: Verdict,
  seen: z.string(),
  expected: z.string(),
});
export type RuleRow = z.output<typeof RuleRow>;

export const ValidateHandshakeReport = z.object({
  operation: z.literal('validate-handshake'),
  target: z.string(),
  status: Status,
  rules: z.array(RuleRow),
  summary: z.object({ passed: z.number(), failed: z.number(), skipped: z.number() }),
  success: z.boolean(),
});
export type ValidateHandshakeReport = z.output<typeof ValidateHandshakeReport>;
