import { statSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { toFunction } from '../../../src/core/derive/function.ts';
import { EnvironmentError } from '../../../src/core/errors.ts';
import { defineOperation, defineRegistry } from '../../../src/core/operation.ts';
import { operationContext } from '../../support/operation-context.ts';

const operation = defineOperation({
  examples: [],
  input: z.strictObject({ bug: z.boolean().default(false) }),
  output: z.object({
    operation: z.literal('stat'),
    status: z.literal('passed'),
    success: z.literal(true),
  }),
  view: () => ({ title: 'stat' }),
  run({ bug }) {
    return Promise.reject(bug ? new TypeError('a bug') : (systemError() as Error));
  },
});

function systemError(): unknown {
  try {
    return statSync('/nonexistent/file');
  } catch (error) {
    return error;
  }
}

const load = (): Promise<{ operation: typeof operation }> => Promise.resolve({ operation });

it('names a fault of the file system for every caller, and leaves a bug as it is', async () => {
  const { stat } = defineRegistry({ stat: { summary: 'Look at a file', load } });
  const listed = await stat.load();
  const library = toFunction(load);
  const fault = { code: 'WSK_ERR_FILE_NOT_READABLE', message: /ENOENT.*nonexistent/ };
  for (const run of [() => listed.run({ bug: false }, operationContext()), () => library({})]) {
    const error: unknown = await run().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EnvironmentError);
    expect((error as EnvironmentError).code).toBe(fault.code);
    expect((error as EnvironmentError).message).toMatch(fault.message);
  }
  await expect(library({ bug: true })).rejects.toThrow(TypeError);
});
