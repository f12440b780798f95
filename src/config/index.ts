import { readConfigFile } from './file.ts';
import { findConfigFile, resolveSettings, type LoadedSettings } from './resolve.ts';

export type { LoadedSettings } from './resolve.ts';

/**
 * Loads the settings: environment > project file, looked for in `cwd` and above > defaults.
 *
 * @throws UsageError WSK_ERR_INVALID_CONFIG naming file, line, key, what was read and expected
 */
export function loadSettings(options: { cwd: string; env: NodeJS.ProcessEnv }): LoadedSettings {
  const { file, note } = findConfigFile(options.cwd);
  const read = file === undefined ? undefined : readConfigFile(file);
  return resolveSettings(read, options.env, note);
}
