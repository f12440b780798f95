import * as z from 'zod';
import { defineOperation, type OperationContext, type View } from '../../core/operation.ts';
import { loadSettings } from '../../config/load.ts';
import { Settings } from '../../core/settings.ts';

const ConfigInput = z.strictObject({});

const ConfigReport = z.object({
  operation: z.literal('config'),
  status: z.literal('passed'),
  success: z.literal(true),
  file: z.string().nullable(),
  settings: Settings,
  /** By dotted key: where the effective value came from. */
  origins: z.record(z.string(), z.string()),
});
type ConfigReport = z.output<typeof ConfigReport>;

/** Reports the effective settings and where each value came from. */
async function showConfig(_input: object, context: OperationContext): Promise<ConfigReport> {
  const { settings, origins, file } = loadSettings({ cwd: context.cwd, env: process.env });
  return await Promise.resolve({
    operation: 'config',
    status: 'passed',
    success: true,
    file: file ?? null,
    settings,
    origins,
  });
}

function view(report: ConfigReport): View {
  const valueOf = (key: string): unknown =>
    key
      .split('.')
      .reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], report.settings);
  return {
    title: 'effective configuration',
    facts: [['file', report.file ?? 'none found from here upwards']],
    table: {
      columns: ['key', 'value', 'from'],
      rows: Object.entries(report.origins).map(([key, origin]) => [
        key,
        JSON.stringify(valueOf(key)),
        origin,
      ]),
    },
  };
}

/** `websocket-skill config`. */
export const configOperation = defineOperation({
  name: 'config',
  summary: 'Print the effective configuration and where each value came from',
  examples: ['config', 'config --json'],
  input: ConfigInput,
  output: ConfigReport,
  view,
  run: showConfig,
});
