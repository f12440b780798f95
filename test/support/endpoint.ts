import type * as z from 'zod';
import { TestInput } from '../../src/operations/test/schema.ts';
import { ValidateHandshakeInput } from '../../src/operations/validate-handshake/schema.ts';
import type { TestReport } from '../../src/operations/test/schema.ts';
import type { ValidateHandshakeReport } from '../../src/operations/validate-handshake/schema.ts';
import { testEndpoint } from '../../src/operations/test/test.ts';
import { validateHandshake } from '../../src/operations/validate-handshake/validate-handshake.ts';
import type { OperationContext } from '../../src/core/operation.ts';
import { operationContext } from './operation-context.ts';

/** Runs `test` as the library does, with the input's defaults filled in. */
export async function runTest(
  input: z.input<typeof TestInput>,
  context: OperationContext = operationContext(),
): Promise<TestReport> {
  return testEndpoint(TestInput.parse(input), context);
}

/** Runs `validate-handshake` likewise. */
export async function runValidateHandshake(
  input: z.input<typeof ValidateHandshakeInput>,
  context: OperationContext = operationContext(),
): Promise<ValidateHandshakeReport> {
  return validateHandshake(ValidateHandshakeInput.parse(input), context);
}

/** The ids of the rows that failed, in order. */
export function failedIds(rows: readonly { id: string; verdict: string }[]): string[] {
  return rows.filter((row) => row.verdict === 'fail').map((row) => row.id);
}
