import * as z from 'zod';
import { BUILT_IN } from '../../babysitter/process-file.ts';

/** What `run` takes: a process, its inputs, and where the run folder goes. */
export const RunInput = z.strictObject({
  process: z
    .string()
    .min(1)
    .meta({ positional: true, expected: 'websocket-server or the path of a file' })
    .describe(
      `name of a built-in process (${BUILT_IN.join(', ')}), or path of a .js or .mjs file; #name selects its export`,
    ),
  inputs: z
    .string()
    .optional()
    .meta({ placeholder: 'file' })
    .describe('JSON file with the inputs of the process'),
  runsDir: z
    .string()
    .min(1)
    .optional()
    .meta({ placeholder: 'dir' })
    .describe('folder that holds the run folders (default: BABYSITTER_RUNS_DIR, or .a5c/runs)'),
  runId: z
    .string()
    .regex(/^[0-9A-Za-z][0-9A-Za-z._-]*$/, 'expected letters, digits, "." , "_" and "-"')
    .max(128)
    .optional()
    .meta({ placeholder: 'id' })
    .describe('name of the run folder (default: a new ULID)'),
});
export type RunInput = z.output<typeof RunInput>;
