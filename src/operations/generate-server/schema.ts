import * as z from 'zod';
import { Port, Subprotocol } from '../../core/fields.ts';
import {
  COMMON_FEATURES,
  COMPRESSIONS,
  FEATURES,
  NO_PACKAGE_NAMES,
} from '../../generate/answers.ts';
import { LANGUAGES } from '../../generate/languages/index.ts';
import { SERVER_TYPES } from '../../generate/languages/language.ts';

const Language = z.enum(Object.keys(LANGUAGES) as (keyof typeof LANGUAGES)[]);
const ServerType = z.enum(SERVER_TYPES);
const Compression = z.enum(COMPRESSIONS);

/** `Node.js` is nodejs. */
const NamedLanguage = z.preprocess(
  (value: z.output<typeof Language> | 'Node.js') => (value === 'Node.js' ? 'nodejs' : value),
  Language,
);

/** True is permessage-deflate, false is none. */
const NamedCompression = z.preprocess((value: z.output<typeof Compression> | boolean) => {
  if (typeof value !== 'boolean') return value;
  return value ? 'permessage-deflate' : 'none';
}, Compression);

export const GenerateServerInput = z.strictObject({
  language: NamedLanguage.default('nodejs').describe('language of the server'),
  type: ServerType.default('echo').describe(
    'echo returns each message, chat passes it on to the other clients',
  ),
  port: Port.default(8080).describe(
    'port to listen on; the environment variable PORT overrides it',
  ),
  compression: NamedCompression.default('permessage-deflate').describe(
    'per-message compression (RFC 7692); up to about 120 KiB of memory per connection',
  ),
  serverNoContextTakeover: z
    .boolean()
    .default(true)
    .describe('compress each message on its own: less memory per connection, larger messages'),
  subprotocols: z
    .array(Subprotocol)
    .default([])
    .meta({ separator: ',' })
    .describe('subprotocols that the server accepts, the preferred one first'),
  features: z
    .array(z.enum([...FEATURES, ...COMMON_FEATURES]))
    .default([])
    .meta({ separator: ',' })
    .describe(
      'features: rooms, presence and history of a chat server (the last two need rooms), ' +
        'ping-pong (every server has it), compression (permessage-deflate)',
    ),
  maxPayload: z
    .int()
    .min(1)
    .max(0x7fffffff)
    .optional()
    .meta({ placeholder: 'bytes' })
    .describe(
      'largest message that the server accepts, compressed and decompressed ' +
        '(default: 104857600; chat: 65536, and no more)',
    ),
  pingInterval: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(30_000)
    .meta({ placeholder: 'ms' })
    .describe('time between heartbeat pings, in milliseconds'),
  output: z
    .string()
    .min(1)
    .optional()
    .meta({ placeholder: 'path' })
    .describe(
      'folder, or a .js, .mjs or .cjs file for an echo server in one file ' +
        '(default: echo-server or chat-server)',
    ),
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,213}$/, 'expected lower-case letters, digits, ".", "_" or "-"')
    .refine((name) => !NO_PACKAGE_NAMES.includes(name), 'expected a name that npm takes')
    .optional()
    .describe('name in package.json (default: the name of the output)'),
  force: z.boolean().default(false).describe('overwrite existing files that have other content'),
  dryRun: z.boolean().default(false).describe('list the files and write nothing'),
});
export type GenerateServerInput = z.output<typeof GenerateServerInput>;

/** What happened to a file; in a dry run, what would happen. */
const FileAction = z.enum([
  'created',
  'overwritten',
  'unchanged',
  'removed',
  'would-create',
  'would-overwrite',
  'would-remove',
  'differs',
]);
export type FileAction = z.output<typeof FileAction>;

const GeneratedFile = z.object({
  /** Relative to the output folder, with `/`. */
  path: z.string(),
  bytes: z.int(),
  action: FileAction,
});

export const GenerateServerReport = z.object({
  operation: z.literal('generate-server'),
  status: z.enum(['passed', 'interrupted']),
  success: z.boolean(),
  language: Language,
  type: ServerType,
  /** Absolute path of the folder or file. */
  output: z.string(),
  files: z.array(GeneratedFile),
  /** What to run next, in this order, in a POSIX shell. */
  commands: z.array(z.string()),
  notes: z.array(z.string()),
});
export type GenerateServerReport = z.output<typeof GenerateServerReport>;
