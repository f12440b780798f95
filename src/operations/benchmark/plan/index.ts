export { prepare } from './prepare.ts';
export type { Prepared, Reached } from './prepare.ts';
export { projectSettings } from './project.ts';
export { isLoopback } from '../../../load/host/source-addresses.ts';
