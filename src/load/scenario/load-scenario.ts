import { resolve } from 'node:path';
import type { ToolCall } from '../../core/calls.ts';
import { UsageError } from '../../core/errors.ts';
import { readRegularFile, reasonOf } from '../../core/input-file.ts';
import { didYouMean } from '../../core/did-you-mean.ts';
import { CHAT } from './built-in/chat.ts';
import { JSON_RPC } from './built-in/json-rpc.ts';
import { LIVE_UPDATES } from './built-in/live-updates.ts';
import { mcpScenario } from './built-in/mcp.ts';

import { parseScenario } from './parse/parse-scenario.ts';
import type { Scenario } from './scenario.ts';

/** Scenarios that need no file, by name: their YAML. */
export const BUILT_IN_SCENARIOS: Readonly<Record<string, string>> = {
  chat: CHAT,
  'json-rpc': JSON_RPC,
  'live-updates': LIVE_UPDATES,
  mcp: mcpScenario(),
};

/** A scenario is written by hand. */
const MAX_BYTES = 1024 * 1024;

/** A path, not a name. */
const PATH = /[/\\]|\.ya?ml$/i;

/**
 * The scenario of this name, or the one in this file (relative to `cwd`), checked. `tool` is what that of the
 * name mcp calls.
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT for faults, WSK_ERR_FILE_NOT_READABLE without the file.
 */
export function loadScenario(nameOrPath: string, cwd: string, tool?: ToolCall): Scenario {
  if (nameOrPath === 'mcp') return parseScenario(mcpScenario(tool), 'mcp.yaml');
  const builtIn = Object.hasOwn(BUILT_IN_SCENARIOS, nameOrPath)
    ? BUILT_IN_SCENARIOS[nameOrPath]
    : undefined;
  if (builtIn !== undefined) return parseScenario(builtIn, `${nameOrPath}.yaml`);
  const file = resolve(cwd, nameOrPath);
  let text: string;
  try {
    text = readRegularFile(file, MAX_BYTES).toString('utf8');
  } catch (cause) {
    throw new UsageError(
      'WSK_ERR_FILE_NOT_READABLE',
      `cannot read the scenario ${nameOrPath} (${reasonOf(cause)})`,
      {
        cause,
        ...(PATH.test(nameOrPath)
          ? {}
          : { hint: didYouMean(nameOrPath, Object.keys(BUILT_IN_SCENARIOS)) }),
      },
    );
  }
  return parseScenario(text, file);
}
