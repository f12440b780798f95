import * as z from 'zod';
import { DurationOrNoneMs, HeaderLine, WebSocketUrl } from '../../core/fields.ts';

const Path = z.string().regex(/^\/[^\s?#]*$/, 'expected a path such as /mcp');
const OriginPattern = z
  .string()
  .refine(
    (text) => text === '*' || (URL.canParse(text) && new URL(text).origin === text),
    'expected an origin such as https://example.com, or *',
  );

/** Flags that only one of the two directions has. */
const OF_STDIO = [
  ...['port', 'host', 'shared', 'messagePath', 'cors', 'allowOrigins', 'healthEndpoints'],
  ...['maxClients', 'sessionGrace', 'restart'],
] as const;

export const McpBridgeInput = z
  .strictObject({
    stdio: z
      .string()
      .regex(/\S/, 'expected a command')
      .optional()
      .describe('command of an MCP server on standard input and output, to be served')
      .meta({ placeholder: 'command' }),
    url: WebSocketUrl.optional().describe(
      'MCP server on WebSocket, to be offered on standard input and output',
    ),
    port: z
      .int()
      .min(0)
      .max(65535)
      .optional()
      .describe('port to listen on, 0 for a free one')
      .meta({ placeholder: 'port', default: 8000 }),
    host: z
      .string()
      .min(1)
      .optional()
      .describe('address to listen on')
      .meta({ placeholder: 'address', default: '127.0.0.1' }),
    shared: z.boolean().optional().describe('one child for all clients').meta({ default: false }),
    messagePath: Path.optional()
      .describe('path that clients connect to')
      .meta({ placeholder: 'path', alias: 'messagePath', default: '/message' }),
    cors: z
      .boolean()
      .optional()
      .describe('let pages of any origin connect: only with --token-file')
      .meta({ default: false }),
    allowOrigins: z
      .array(OriginPattern)
      .optional()
      .describe('origin of pages that may connect; repeatable (default: none)')
      .meta({ flag: 'allow-origin', placeholder: 'origin' }),
    healthEndpoints: z
      .array(Path)
      .optional()
      .describe('path that answers 200 while clients are served; repeatable (default: /healthz)')
      .meta({ flag: 'health-endpoint', placeholder: 'path', alias: 'healthEndpoint' }),
    headers: z
      .array(HeaderLine)
      .default([])
      .describe('extra header of the handshake with --url; repeatable')
      .meta({ flag: 'header' }),
    tokenFile: z
      .string()
      .min(1)
      .optional()
      .describe(
        'file of bearer tokens, one per line: clients need one; with --url, the first is sent',
      )
      .meta({ placeholder: 'file' }),
    maxClients: z
      .int()
      .min(1)
      .optional()
      .describe('clients at the same time')
      .meta({ default: 100 }),
    maxMessage: z
      .int()
      .min(1024)
      .max(64 * 1024 * 1024)
      .default(10 * 1024 * 1024)
      .describe('largest message in bytes; a client that sends a larger one is closed with 1009')
      .meta({ placeholder: 'bytes' }),
    sessionGrace: DurationOrNoneMs.optional()
      .describe('how long the session of a lost connection is kept; 0: not at all')
      .meta({ default: 30_000 }),
    restart: z
      .int()
      .min(0)
      .max(1000)
      .optional()
      .describe('how often in a row a child that ended is started again')
      .meta({ placeholder: 'number', default: 5 }),
    logLevel: z
      .enum(['debug', 'info', 'none'])
      .default('info')
      .describe(
        'what is logged on standard error, as JSON lines: info never holds what messages do, debug adds the last words of a server that ended',
      )
      .meta({ alias: 'logLevel' }),
  })
  .superRefine((input, context) => {
    const refuse = (path: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [path], message });
    };
    if ((input.stdio === undefined) === (input.url === undefined)) {
      const both = input.stdio !== undefined;
      refuse('stdio', both ? 'expected --stdio or --url, not both' : 'expected --stdio or --url');
    } else if (input.url !== undefined) {
      const given = OF_STDIO.find((field) => input[field] !== undefined);
      if (given !== undefined) refuse(given, 'which is for --stdio only');
    } else if (input.headers.length > 0) {
      refuse('headers', 'which is for --url only');
    }
    const anyOrigin = input.cors === true || input.allowOrigins?.includes('*') === true;
    if (anyOrigin && input.tokenFile === undefined) {
      const field = input.cors === true ? 'cors' : 'allowOrigins';
      refuse(field, 'which needs --token-file: any page that is open could call the tools');
    }
  });
export type McpBridgeInput = z.output<typeof McpBridgeInput>;

export const McpBridgeReport = z.object({
  operation: z.literal('mcp-bridge'),
  status: z.enum(['passed', 'failed']),
  success: z.boolean(),
  /** `stdio` serves a command, `url` is a client of a server. */
  direction: z.enum(['stdio', 'url']),
  /** Where clients connected to, or the server's address. */
  url: z.string(),
  sessions: z.number(),
  /** Sessions that went on over another connection, or a connection that came back. */
  resumed: z.number(),
  /** Handshakes that were refused. */
  refused: z.number(),
  failure: z.string().optional(),
  durationMs: z.number(),
});
export type McpBridgeReport = z.output<typeof McpBridgeReport>;
