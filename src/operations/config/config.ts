import { loadSettings } from '../../config/index.ts';
import type { OperationContext } from '../../core/operation.ts';
import type { ConfigInput, ConfigReport } from './schema.ts';

/** Reports the effective settings and where each value came from. */
export async function showConfig(
  _input: ConfigInput,
  context: OperationContext,
): Promise<ConfigReport> {
  const { settings, origins, file, note } = loadSettings({ cwd: context.cwd, env: process.env });
  return await Promise.resolve({
    operation: 'config',
    status: 'passed',
    success: true,
    file: file ?? null,
    note: note ?? null,
    settings,
    origins,
  });
}
