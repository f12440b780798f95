import * as z from 'zod';
import { Port, Subprotocol } from '../../core/fields.ts';
import {
  COMMON_FEATURES,
  COMPRESSIONS,
  DEFAULTS,
  FEATURES,
  TYPE_FEATURES,
} from '../../generate/answers.ts';
import { LANGUAGES } from '../../generate/languages/index.ts';
import { OUTPUT_FIELDS, OUTPUT_REPORT_FIELDS } from '../../generate/output.ts';
import { PROTOCOLS, SERVER_TYPES } from '../../generate/languages/language.ts';

const Language = z.enum(Object.keys(LANGUAGES) as (keyof typeof LANGUAGES)[]);
const ServerType = z.enum(SERVER_TYPES);
const Compression = z.enum(COMPRESSIONS);

/** `Node.js` is nodejs, `Python` is python, `Go` is go. */
const NamedLanguage = z.preprocess(
  (value: z.output<typeof Language> | 'Node.js' | 'Python' | 'Go') =>
    typeof value === 'string' ? value.toLowerCase().replace(/^node\.js$/, 'nodejs') : value,
  Language,
);

/** True is permessage-deflate, false is none. */
const NamedCompression = z.preprocess((value: z.output<typeof Compression> | boolean) => {
  if (typeof value !== 'boolean') return value;
  return value ? 'permessage-deflate' : 'none';
}, Compression);

const NODEJS_ONLY = SERVER_TYPES.filter((type) =>
  Object.values(LANGUAGES).every(
    (language) => language === LANGUAGES.nodejs || language.servers[type] === undefined,
  ),
);

export const GenerateServerInput = z.strictObject({
  language: NamedLanguage.optional()
    .meta({ default: DEFAULTS.language })
    .describe(
      'language of the server, else that of the file --output names; ' +
        `${NODEJS_ONLY.join(' and ')} in nodejs only`,
    ),
  type: ServerType.optional()
    .meta({ default: DEFAULTS.type })
    .describe(
      'echo returns each message, chat passes it on to the other clients, pubsub to those who ' +
        'subscribed to its topic; live-updates sends the changes of documents; collab lets clients edit documents together (Yjs); ' +
        'rpc speaks the protocols of --subprotocols, json-rpc if there are none; ' +
        'mcp is a server of the Model Context Protocol, also over stdio',
    ),
  port: Port.optional()
    .meta({ default: DEFAULTS.port })
    .describe('port to listen on; the environment variable PORT overrides it'),
  compression: NamedCompression.optional()
    .meta({ default: DEFAULTS.compression })
    .describe('per-message compression (RFC 7692); up to about 120 KiB of memory per connection'),
  serverNoContextTakeover: z
    .boolean()
    .optional()
    .meta({ default: DEFAULTS.serverNoContextTakeover })
    .describe('compress each message on its own: less memory per connection, larger messages'),
  subprotocols: z
    .array(Subprotocol)
    .optional()
    .meta({ separator: ',' })
    .describe(
      'subprotocols that the server accepts, the preferred one first; rpc, chat and pubsub speak ' +
        `${Object.keys(PROTOCOLS)
          .filter((name) => name !== 'mcp')
          .join(', ')}, other names are no more than negotiated`,
    ),
  features: z
    .array(z.enum([...FEATURES, ...COMMON_FEATURES]))
    .optional()
    .meta({ separator: ',' })
    .describe(
      'features: ' +
        `chat: ${TYPE_FEATURES.chat.join(', ')}; pubsub: ${TYPE_FEATURES.pubsub.join(', ')}; ` +
        `live-updates: ${TYPE_FEATURES['live-updates'].join(', ')}; collab: ` +
        `${TYPE_FEATURES.collab.join(', ')}; rpc, mcp: ${TYPE_FEATURES.mcp.join(', ')} (what a feature needs is added); ` +
        'every type: ping-pong, which every server has, and compression',
    ),
  maxPayload: z
    .int()
    .min(1)
    .max(0x7fffffff)
    .optional()
    .meta({ placeholder: 'bytes' })
    .describe(
      'largest message that the server accepts, compressed and decompressed ' +
        '(default of echo: 104857600; of collab: 1048576; of the others: 65536, and no more)',
    ),
  pingInterval: z
    .int()
    .min(100)
    .max(3_600_000)
    .optional()
    .meta({ placeholder: 'ms', default: DEFAULTS.pingInterval })
    .describe('time between heartbeat pings, in milliseconds'),
  output: z
    .string()
    .min(1)
    .refine((text) => !text.includes('\0'), 'expected a path, which holds no NUL')
    .optional()
    .meta({ placeholder: 'path' })
    .describe(
      'folder, or a .js, .mjs, .cjs, .py or .go file for an echo server in one file ' +
        '(default: echo-server, chat-server, …)',
    ),
  ...OUTPUT_FIELDS,
});
export type GenerateServerInput = z.output<typeof GenerateServerInput>;

/** What the content of the files depends on: what a project's manifest keeps as its answers. */
export const ServerChoices = z.object(
  GenerateServerInput.omit({ output: true, force: true, dryRun: true, update: true, diff: true })
    .shape,
);

export const GenerateServerReport = z.object({
  operation: z.literal('generate-server'),
  language: Language,
  type: ServerType,
  ...OUTPUT_REPORT_FIELDS,
});
export type GenerateServerReport = z.output<typeof GenerateServerReport>;
