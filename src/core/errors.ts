/**
 * Every error this package raises on purpose: one catalogue, two classes.
 *
 * A failed check is not an error but a report whose verdict is fail (exit 1). An error is caused by
 * the caller (`UsageError`, exit 2) or by the environment (`EnvironmentError`, exit 3).
 */

import { accessSync, constants } from 'node:fs';

export const ERRORS = {
  WSK_ERR_UNKNOWN_OPERATION: 'an operation with this name does not exist',
  WSK_ERR_UNKNOWN_FLAG: 'the operation has no such flag or argument',
  WSK_ERR_INVALID_INPUT: 'a flag or task argument has a wrong value',
  WSK_ERR_INVALID_CONFIG: 'a wrong value or an unknown key in websocket.yaml or WS_*',
  WSK_ERR_FILE_EXISTS: 'a generated file would overwrite a file with other content',
  WSK_ERR_NOT_A_PROJECT: 'the path holds no project or file made by generate-server',
  WSK_ERR_UNCOMMITTED: 'an update would be mixed with edits that are not committed',
  WSK_ERR_GIT_MISSING: 'git, which merges an update with edited files, is not installed',
  WSK_ERR_NOT_A_RUN: 'the folder holds no babysitter run',
  WSK_ERR_UNKNOWN_EFFECT: 'the run has no such effect, or it is not a websocket task',
  WSK_ERR_BAD_TASK_INPUT: 'the input of a task is wrong, corrupt or of another program',
  WSK_ERR_OUTPUT_NOT_WRITABLE: 'the output path cannot be written',
  WSK_ERR_FILE_NOT_READABLE: 'an input file cannot be read',
  WSK_ERR_LISTEN: 'the address to listen on is in use or not allowed',
  WSK_ERR_DNS: 'the host name does not resolve',
  WSK_ERR_REFUSED: 'nothing listens at the address',
  WSK_ERR_CONNECTION_LOST: 'the connection broke before the handshake was complete',
  WSK_ERR_TLS: 'the TLS handshake or the certificate check failed',
  WSK_ERR_HTTP_STATUS: 'the server answered with another HTTP status than 101 Switching Protocols',
  WSK_ERR_HEAD_TOO_BIG: 'the server answered with more octets of header than are read',
  WSK_ERR_NOT_HTTP: 'the server answered something that is not HTTP',
  WSK_ERR_TIMEOUT: 'no answer came in time',
  WSK_ERR_PROJECT_FAILED: 'a generated project did not install, build or start',
  WSK_ERR_TOOLCHAIN_MISSING: 'what a generated project runs with is missing, or too old',
  WSK_ERR_SDK_MISSING: 'the babysitter SDK is not installed',
  WSK_ERR_RUN_FAILED: 'the babysitter SDK could not continue the run',
  WSK_ERR_QUEUE_MISSING: 'BullMQ or ioredis is not installed',
  WSK_ERR_REDIS: 'Redis cannot be reached, or refuses the connection',
  WSK_ERR_WORKERS: 'too few benchmark-workers joined, or none sent a result',
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** Wrong usage: a flag, a configuration value, an input file. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code: ErrorCode;
  /** What to do about it, as a fragment. */
  readonly hint: string | undefined;

  /** `message` says which value, what was read and what was expected. */
  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.hint = options.hint;
  }
}

/** The environment failed: refused, timed out, missing tool. Exit code 3; `cause` is required. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { cause: unknown; hint?: string }) {
    super(message, { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** Whether `error` comes from the operating system: it names the call that failed. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}

/** The error for a `host` and `port`, those of --host and --port, that cannot be listened on. */
export function cannotListen(
  host: string,
  port: number,
  cause: NodeJS.ErrnoException,
): EnvironmentError {
  const why = cause.code ?? cause.message;
  return new EnvironmentError('WSK_ERR_LISTEN', `cannot listen on ${host}:${port} (${why})`, {
    cause,
    hint: LISTEN_HINTS[why] ?? 'is another server running there? choose another --port',
  });
}

const LISTEN_HINTS: Readonly<Record<string, string>> = {
  EACCES: 'ports below 1024 are for privileged users: choose another --port',
  EADDRNOTAVAIL: 'this machine has no such address: choose another --host',
  ENOTFOUND: 'the name does not resolve: choose another --host',
};

const NOT_WRITABLE = /^(ENOSPC|EDQUOT|EROFS|EFBIG)$/;
const WRITING = /^(write|mkdir|mkdtemp|rename|unlink|rmdir|rm|copyfile|symlink|fsync|ftruncate)/;

/**
 * The error for a fault of the file system that nobody has named before: a full or read-only disk,
 * missing permission, a folder in place of a file. Undefined for any other error.
 */
export function environmentFault(error: unknown): EnvironmentError | undefined {
  if (!isSystemError(error)) return undefined;
  const { code = '', syscall = '', message } = error;
  const writes = NOT_WRITABLE.test(code) || WRITING.test(syscall) || isOpenForWriting(error);
  return new EnvironmentError(
    writes ? 'WSK_ERR_OUTPUT_NOT_WRITABLE' : 'WSK_ERR_FILE_NOT_READABLE',
    message,
    { cause: error },
  );
}

/**
 * Whether a file was to be opened for writing, which the error does not say: what is there can be read
 * all the same, or nothing is there, or it is a folder, whose opening for reading does not fail.
 */
function isOpenForWriting({ code = '', syscall, path }: NodeJS.ErrnoException): boolean {
  if (syscall !== 'open' || path === undefined) return false;
  if (code === 'EISDIR' || code === 'ETXTBSY') return true;
  if (code !== 'EACCES' && code !== 'EPERM') return false;
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch (error) {
    return isSystemError(error) && error.code === 'ENOENT';
  }
}

/** The error for a flag or task argument with a wrong value. */
export const invalidInput = (message: string, hint?: string): UsageError =>
  new UsageError('WSK_ERR_INVALID_INPUT', message, hint === undefined ? {} : { hint });
