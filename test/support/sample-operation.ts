import * as z from 'zod';
import { DurationMs, HeaderLine, Port, WebSocketUrl } from '../../src/core/fields.ts';
import { defineOperation, type OperationEntry } from '../../src/core/operation.ts';

const SampleInput = z.strictObject({
  target: z.string().describe('what to work on').meta({ positional: true }),
  port: Port.optional().describe('port to listen on'),
  url: WebSocketUrl.optional().describe('server under test'),
  maxPayload: z.int().min(1).default(1000).describe('largest message in bytes'),
  timeoutMs: DurationMs.default(5000).describe('bound of one step').meta({ flag: 'timeout' }),
  color: z.enum(['red', 'green']).default('red').describe('which colour'),
  features: z
    .array(z.enum(['rooms', 'presence']))
    .default([])
    .describe('what is on')
    .meta({ separator: ',' }),
  headers: z.array(HeaderLine).default([]).describe('extra header').meta({ flag: 'header' }),
  echo: z.boolean().optional().describe('whether the server echoes'),
});

const SampleReport = z.object({
  operation: z.literal('sample'),
  status: z.literal('passed'),
  success: z.literal(true),
  input: z.unknown(),
});

const definition = defineOperation({
  examples: ['sample thing --port 8080'],
  input: SampleInput,
  output: SampleReport,
  defaults: (settings) => ({ port: settings.defaultPort, maxPayload: settings.maxPayload }),
  view: () => ({ title: 'sample' }),
  run: sample,
});

/** An operation with one field of every kind, for the tests of what is derived from one. */
export const sampleOperation = {
  name: 'sample',
  summary: 'Show what was understood',
  ...definition,
};

/** The same as a registry lists it. */
export const sampleEntry: OperationEntry = {
  name: sampleOperation.name,
  summary: sampleOperation.summary,
  load: () => Promise.resolve(sampleOperation),
};

async function sample(input: z.output<typeof SampleInput>): Promise<z.output<typeof SampleReport>> {
  return await Promise.resolve({ operation: 'sample', status: 'passed', success: true, input });
}
