import { defineOperation } from '../../core/operation.ts';
import { showConfig } from './config.ts';
import { ConfigInput, ConfigReport } from './schema.ts';
import { viewConfig } from './view.ts';

/** `websocket-skill config`. */
export const operation = defineOperation({
  examples: ['config', 'config --json'],
  input: ConfigInput,
  output: ConfigReport,
  view: viewConfig,
  run: showConfig,
});
