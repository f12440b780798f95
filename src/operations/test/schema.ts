import * as z from 'zod';
import { CONTRACT_TYPES } from '../../contract/terms.ts';
import { Subprotocol, WebSocketUrl } from '../../core/fields.ts';
import { Grade, GradeCounts, strict } from '../../core/grade.ts';
import { targetFields } from '../../target/fields.ts';

const Status = z.enum(['passed', 'failed', 'interrupted']);

/** What opens doors of a server at a url; a project gets secrets of its own. */
function secret(what: string, variable: string): z.ZodOptional<z.ZodString> {
  return z
    .string()
    .min(1)
    .optional()
    .describe(`for --contract: ${what} (default: $${variable})`)
    .meta({ placeholder: 'secret' });
}

/** A user of a router at a url; a project gets users of its own. */
function userOfWamp(what: string, variable: string): z.ZodOptional<z.ZodString> {
  return z
    .string()
    .regex(/^[^:]+:./, 'expected authid:secret')
    .optional()
    .describe(`for --contract wamp: ${what} (default: $${variable})`)
    .meta({ placeholder: 'user' });
}

function toolCall(what: string): z.ZodOptional<z.ZodString> {
  return z
    .string()
    .min(1)
    .optional()
    .describe(`for --contract mcp: ${what}`)
    .meta({ placeholder: 'call' });
}

export const TestInput = z
  .strictObject({
    role: z
      .enum(['server', 'client'])
      .default('server')
      .describe(
        'what is tested; with client, --client or the client in --project is started once for each case ' +
          'of --contract, against a server that misbehaves',
      ),
    client: z
      .string()
      .min(1)
      .optional()
      .describe(
        'with --role client: command that starts the client under test; {url} stands for the URL. It ' +
          'takes commands and prints what it saw as JSON lines, as generated clients do',
      )
      .meta({ placeholder: 'command' }),
    ...targetFields,
    strict,
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
        'the server must (or does not) send each message back (default: a first message finds out, and an echo that is missing is a warning)',
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
    contract: z
      .enum(CONTRACT_TYPES)
      .optional()
      .describe(
        'hold the server to a protocol: that of generated servers of a type, or graphql-ws, wamp, json-rpc or mcp of any server (default: those of --project)',
      ),
    subscription: z
      .string()
      .min(1)
      .optional()
      .describe(
        'for --contract graphql-ws: a subscription that brings events and does not end, as `subscription { ticks }` (default: one without required arguments, found by introspection)',
      )
      .meta({ placeholder: 'query' }),
    realm: z
      .string()
      .min(1)
      .optional()
      .describe(
        'for --contract wamp: the realm in which anybody may publish, subscribe, register and call (default: realm1)',
      )
      .meta({ placeholder: 'uri' }),
    method: z
      .string()
      .min(1)
      .optional()
      .describe(
        'for --contract json-rpc: a method that has a result, with its parameters as JSON: `add [1, 2]` (default: rows that need one are skipped)',
      )
      .meta({ placeholder: 'call' }),
    tool: toolCall(
      'a tool that may be called whenever, with its arguments as JSON: `add {"a": 1, "b": 2}` (default: ' +
        'echo, or one without required arguments that only reads)',
    ),
    slowTool: toolCall(
      'a tool that takes a second or so and reports its progress (default: ' +
        'trigger-long-running-operation, if there is one)',
    ),
    crashTool: toolCall(
      'a tool that ends the process of the server, to see what a bridge makes of it (default: the row is skipped)',
    ),
    alsoUrls: z
      .array(WebSocketUrl)
      .default([])
      .describe(
        'for --contract: another server that shares what it has with that of --url; the clients of each row ' +
          'spread over all; repeatable',
      )
      .meta({ flag: 'also-url', placeholder: 'url' }),
    userToken: secret('a token of a user', 'USER_TOKEN'),
    authSecret: secret('the secret with which tokens of users are signed (HS256)', 'AUTH_SECRET'),
    publishToken: secret('the token for /publish and /documents', 'PUBLISH_TOKEN'),
    adminToken: secret('the token for /revoke', 'ADMIN_TOKEN'),
    ticket: userOfWamp('a user who is known by a ticket, as `ada:the ticket`', 'WAMP_TICKET'),
    craSecret: userOfWamp('one who is known by WAMP-CRA, as `bob:the secret`', 'WAMP_CRA_SECRET'),
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
  .refine(
    ({ role, url, project }) =>
      role === 'client' || (url === undefined) !== (project === undefined),
    { message: 'expected either --url or --project, not both', path: ['url'] },
  )
  .refine(({ role, url }) => role === 'server' || url === undefined, {
    message: 'expected none with --role client: the client under test gets one',
    path: ['url'],
  })
  .refine(({ role, client }) => role === 'client' || client === undefined, {
    message: 'expected only with --role client',
    path: ['client'],
  })
  .refine(
    ({ role, contract, client, project }) =>
      role === 'server' ||
      project !== undefined ||
      (contract !== undefined && client !== undefined),
    {
      message: 'expected --contract and --client, or the --project of a generated client',
      path: ['client'],
    },
  )
  .refine(
    (input) => input.project !== undefined || input.contract !== undefined || !hasSecret(input),
    {
      message: 'expected --contract, for which it is',
      path: ['contract'],
    },
  )
  .refine(
    ({ url, contract, alsoUrls }) =>
      alsoUrls.length === 0 || (url !== undefined && contract !== undefined),
    { message: 'expected only with --url and --contract', path: ['alsoUrls'] },
  )
  .refine(
    ({ contract, project, subscription, realm, method, ticket, craSecret, ...tools }) =>
      project !== undefined ||
      ((subscription === undefined || contract === 'graphql-ws') &&
        ((realm ?? ticket ?? craSecret) === undefined || contract === 'wamp') &&
        (method === undefined || contract === 'json-rpc') &&
        ((tools.tool ?? tools.slowTool ?? tools.crashTool) === undefined || contract === 'mcp')),
    {
      message:
        'expected the contract that --subscription, --realm, --ticket, --cra-secret, --method or a tool of MCP is for',
      path: ['contract'],
    },
  )
  .refine((input) => !input.ownTests || input.project !== undefined, {
    message: 'expected a project, whose tests are to be run',
    path: ['ownTests'],
  });
export type TestInput = z.output<typeof TestInput>;

/** Whether one was given, for whatever. */
function hasSecret(input: {
  readonly userToken?: string | undefined;
  readonly authSecret?: string | undefined;
  readonly publishToken?: string | undefined;
  readonly adminToken?: string | undefined;
}): boolean {
  const { userToken, authSecret, publishToken, adminToken } = input;
  return [userToken, authSecret, publishToken, adminToken].some((value) => value !== undefined);
}

/** One check of an endpoint: what it is about, how it ended and why. */
export const CheckRow = z.object({
  id: z.string(),
  /** Section that asks for it, as `6455#5.2`; empty where it is a promise of the project. */
  rfc: z.string(),
  title: z.string(),
  /** Of a row of the contract: the heading of docs/realtime-protocol.md that it is about. */
  section: z.string().optional(),
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
  /** What failed or warns, and for which checks: equal details once, failures first. */
  reasons: z.array(z.object({ verdict: Grade, reason: z.string(), checks: z.array(z.string()) })),
  summary: GradeCounts,
  success: z.boolean(),
});
export type TestReport = z.output<typeof TestReport>;
