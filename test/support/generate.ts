import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import type { z } from 'zod';
import { EnvironmentError, UsageError } from '../../src/core/errors.ts';
import { generateServer } from '../../src/operations/generate-server/generate-server.ts';
import { GenerateServerInput } from '../../src/operations/generate-server/schema.ts';
import type { GenerateServerReport } from '../../src/operations/generate-server/schema.ts';
import { operationContext } from './operation-context.ts';

export type GenerateInput = z.input<typeof GenerateServerInput>;

/** A chat server with everything, into `chat/`. */
export const CHAT = {
  type: 'chat',
  features: ['rooms', 'presence', 'history'],
  output: 'chat',
} satisfies GenerateInput;

/** Runs generate-server in `cwd` as the library does, with the input's defaults filled in. */
export function generate(cwd: string, input: GenerateInput): Promise<GenerateServerReport> {
  return generateServer(GenerateServerInput.parse(input), operationContext({ cwd }));
}

/** Everything in `folder`: path to content, folders with a trailing slash. */
export function snapshot(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries.map((entry) => {
      const absolute = path.join(entry.parentPath, entry.name);
      const relative = path.relative(folder, absolute);
      return entry.isFile()
        ? [relative, readFileSync(absolute, 'utf8')]
        : [`${relative}/`, entry.isDirectory() ? '' : 'other'];
    }),
  );
}

async function failure(promise: Promise<unknown>): Promise<UsageError | EnvironmentError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof UsageError || error instanceof EnvironmentError) return error;
  throw new Error('expected a UsageError or an EnvironmentError', { cause: error });
}

/** Expects that generating fails as said and leaves `cwd` exactly as it is. */
export async function expectRefusal(
  cwd: string,
  input: GenerateInput,
  code: string,
): Promise<UsageError | EnvironmentError> {
  const before = snapshot(cwd);
  const error = await failure(generate(cwd, input));
  expect(error.code).toBe(code);
  expect(snapshot(cwd)).toEqual(before);
  return error;
}
