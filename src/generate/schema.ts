import * as z from 'zod';
import { Port, Subprotocol } from '../core/fields.ts';

export const Language = z.enum(['nodejs']);
export const ServerType = z.enum(['echo', 'chat']);
export type ServerType = z.output<typeof ServerType>;
export const Feature = z.enum(['rooms', 'presence', 'history']);
export type Feature = z.output<typeof Feature>;
export const Compression = z.enum(['permessage-deflate', 'none']);

/** What `generate-server` is told. */
export const GenerateServerInput = z.strictObject({
  language: Language.default('nodejs').describe('Language of the server'),
  type: ServerType.default('echo').describe('What the server does with messages'),
  port: Port.default(8080).describe('Port the server listens on unless PORT says otherwise'),
  compression: Compression.default('permessage-deflate').describe(
    'Per-message compression (RFC 7692)',
  ),
  serverNoContextTakeover: z
    .boolean()
    .default(true)
    .describe('Compress each message on its own, without the window of those before'),
  subprotocols: z
    .array(Subprotocol)
    .default([])
    .meta({ separator: ',' })
    .describe('Subprotocol names, the preferred one first'),
  features: z
    .array(Feature)
    .default([])
    .meta({ separator: ',' })
    .describe('What a chat server has; presence and history need rooms'),
  maxPayload: z
    .int()
    .min(1)
    .max(0x7fffffff)
    .default(104_857_600)
    .meta({ placeholder: 'bytes' })
    .describe('Largest message, before and after inflation'),
  pingInterval: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(30_000)
    .meta({ placeholder: 'ms' })
    .describe('Time between two heartbeat pings'),
  output: z
    .string()
    .min(1)
    .optional()
    .meta({ placeholder: 'path' })
    .describe('Folder, or a .js, .mjs or .cjs file for one self-contained echo server'),
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,213}$/, 'expected lower-case letters, digits, ".", "_" or "-"')
    .optional()
    .describe('Name of the package; without it, that of the output'),
  force: z.boolean().default(false).describe('Overwrite files that exist and differ'),
  dryRun: z.boolean().default(false).describe('List the files and write nothing'),
});
export type GenerateServerInput = z.output<typeof GenerateServerInput>;

/** What happened to a file, or in a dry run would happen. */
export const FileAction = z.enum([
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

export const GeneratedFile = z.object({
  /** Relative to the output folder, with `/`. */
  path: z.string(),
  bytes: z.int(),
  action: FileAction,
});
export type GeneratedFile = z.output<typeof GeneratedFile>;

/** What `generate-server` reports. */
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
