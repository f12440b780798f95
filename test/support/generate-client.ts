import type { z } from 'zod';
import { generateClient } from '../../src/operations/generate-client/generate-client.ts';
import { GenerateClientInput } from '../../src/operations/generate-client/schema.ts';
import type { GenerateClientReport } from '../../src/operations/generate-client/schema.ts';
import { operationContext } from './operation-context.ts';

/** Runs generate-client in `cwd` as the library does, with the input's defaults filled in. */
export function generateClientIn(
  cwd: string,
  input: z.input<typeof GenerateClientInput>,
): Promise<GenerateClientReport> {
  return generateClient(GenerateClientInput.parse(input), operationContext({ cwd }));
}
