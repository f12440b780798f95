export { VARIABLES } from './environment.ts';
export { CONFIG_PATH, findConfigFile } from './file.ts';
export { loadSettings, type LoadedSettings } from './load.ts';
export { Settings } from '../core/settings.ts';
