import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import * as z from 'zod';
import { UsageError } from '../../core/errors.ts';
import { readRegularFile, reasonOf } from '../../core/input-file.ts';
import { ownCommand } from '../../core/own-command.ts';

/** Name of the manifest in the root of a generated project. */
export const MANIFEST_FILE = '.wsgen.json';

/** The first line of a generated single file, a comment that holds the manifest as JSON. */
const HEADER = /^(?:\/\/|#) websocket-skill: (.*)$/;

/** The last file that npm, pnpm and yarn write; a killed installation leaves none of them. */
export const INSTALLED_BY_NPM = [
  'node_modules/.package-lock.json',
  'node_modules/.modules.yaml',
  'node_modules/.yarn-integrity',
  'node_modules/.yarn-state.yml',
];

/** What a log line of a server that listens holds, besides its `port`. */
export const LISTENING: Record<string, string> = { event: 'listening' };

const Command = z.array(z.string().min(1)).min(1);

/** What to do about a damaged manifest. */
export const RESTORE = 'restore it, for example from the last commit';

/** How a generated server is started and what it promises; written by generate-server. */
export const Manifest = z.object({
  generator: z.literal('websocket-skill'),
  /** Version of the generator. */
  version: z.string(),
  language: z.string(),
  type: z.string(),
  /** Every resolved answer the project was generated with. */
  answers: z.record(z.string(), z.unknown()),
  /** To be run in the project's folder; null: there is nothing to do. */
  commands: z.object({
    install: Command.nullable(),
    build: Command.nullable(),
    start: Command,
    test: Command.nullable().default(null),
  }),
  /** What its commands need: a program that prints its version, and the least one: `3.11`. */
  toolchain: z.object({ command: Command, least: z.string().regex(/^\d+(\.\d+)*$/) }).optional(),
  /** One of these exists once the install command has succeeded; relative to the folder. */
  installed: z.array(z.string().min(1)).default(INSTALLED_BY_NPM),
  /** Fields of the JSON line with the `port` that the server prints on stdout when it listens. */
  listening: z.record(z.string(), z.string()).default(LISTENING),
  contract: z.object({
    path: z.string().startsWith('/'),
    /** Whether a message comes back as it was sent. */
    echo: z.boolean(),
    /** Bytes. */
    maxPayload: z.int().positive(),
    subprotocols: z.array(z.string()),
    health: z.string().startsWith('/'),
    ready: z.string().startsWith('/'),
    /** A text message that a server which does not echo answers, and what the answer contains. */
    probe: z.object({ send: z.string(), expect: z.string() }).optional(),
  }),
  /** SHA-256 (hex) of each generated file by its path; empty for a single file. */
  files: z.record(z.string(), z.string()),
  /** Those of them that belong to the user: a later generation leaves them as they are. */
  userFiles: z.array(z.string()).default([]),
});
export type Manifest = z.output<typeof Manifest>;

/** A generated project on disk: a folder with a manifest, or a single file that starts with one. */
export interface Project {
  /** Absolute path of the folder in which the commands are to be run. */
  readonly root: string;
  readonly manifest: Manifest;
  /** Name of the single file. */
  readonly file?: string;
}

/** The first line of a generated single file; `comment` starts one in its language: `//` or `#`. */
export function formatHeader(manifest: object, comment: string): string {
  // JSON leaves them as they are, and they end a comment in JavaScript.
  const text = JSON.stringify(manifest).replace(/[\u2028\u2029]/g, (separator) =>
    separator === '\u2028' ? '\\u2028' : '\\u2029',
  );
  return `${comment} websocket-skill: ${text}\n`;
}

/** The text of `.wsgen.json`. */
export function formatManifest(manifest: object): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/**
 * Reads the manifest of the project at `path`, a folder or a single file.
 *
 * @throws UsageError WSK_ERR_NOT_A_PROJECT
 */
export async function readProject(path: string): Promise<Project> {
  const absolute = resolve(path);
  const found = await stat(absolute).catch(() => undefined);
  if (found === undefined) throw notAProject(path, 'it does not exist');
  const root = found.isDirectory() ? absolute : dirname(absolute);
  const text = found.isDirectory() ? readManifest(root, path) : readHeader(absolute, path);
  if (text === undefined) {
    throw notAProject(path, 'its first line is no comment that starts with "websocket-skill:"');
  }
  const manifest = parseManifest(text, path);
  return found.isDirectory() ? { root, manifest } : { root, manifest, file: basename(absolute) };
}

/** How a generated client in a folder is built, tested and driven; written by generate-client. */
const ClientManifest = Manifest.pick({
  generator: true,
  version: true,
  language: true,
  answers: true,
  toolchain: true,
  installed: true,
  files: true,
}).extend({
  kind: z.literal('client'),
  type: z.enum(['chat', 'pubsub', 'live-updates', 'collab', 'rpc']),
  /** The command `driver` puts it under the control of another program; ends with the URL. Null: it has none. */
  commands: Manifest.shape.commands.omit({ start: true }).extend({ driver: Command.nullable() }),
});
export type ClientManifest = z.output<typeof ClientManifest>;

/** A generated client in a folder. */
export interface ClientProject {
  /** Absolute. */
  readonly root: string;
  readonly manifest: ClientManifest;
}

/**
 * Reads the manifest of the generated client in the folder `path`.
 *
 * @throws UsageError WSK_ERR_NOT_A_PROJECT
 */
export function readClient(path: string): ClientProject {
  const root = resolve(path);
  const text = readManifest(root, path);
  try {
    return { root, manifest: ClientManifest.parse(JSON.parse(text)) };
  } catch (cause) {
    throw notAProject(
      path,
      'it is no generated client',
      cause,
      `generate one with: ${ownCommand('generate-client')}`,
    );
  }
}

function readManifest(root: string, path: string): string {
  try {
    return readRegularFile(join(root, MANIFEST_FILE)).toString();
  } catch (cause) {
    throw notAProject(path, `it has no readable ${MANIFEST_FILE}`, cause);
  }
}

function readHeader(file: string, path: string): string | undefined {
  let text: string;
  try {
    text = readRegularFile(file).toString();
  } catch (cause) {
    throw notAProject(path, `it cannot be read (${reasonOf(cause)})`, cause);
  }
  const [line = ''] = text.split('\n', 1);
  return HEADER.exec(line)?.[1];
}

function parseManifest(text: string, path: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw notAProject(path, 'its manifest is not valid JSON', cause, RESTORE);
  }
  const isClient = z.object({ kind: z.literal('client') }).safeParse(value).success;
  if (isClient) throw notAProject(path, 'it is a client, not a server');
  const result = Manifest.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue === undefined ? '' : `${issue.path.join('.')}: ${issue.message}`;
  throw notAProject(path, `its manifest is invalid (${where})`, result.error, RESTORE);
}

/** The error for what was not generated, or is damaged. */
export function notAProject(
  path: string,
  why: string,
  cause?: unknown,
  hint = `generate one with: ${ownCommand('generate-server')}`,
): UsageError {
  const message = `${path} is not a generated project: ${why}`;
  return new UsageError('WSK_ERR_NOT_A_PROJECT', message, { cause, hint });
}

/** In lower-case hexadecimal, as `Manifest.files` has it. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
