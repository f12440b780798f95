export { readProject } from './manifest.ts';
export type { Manifest } from './manifest.ts';
export { startProject } from './start-project.ts';
export type { OwnTests, RunningProject, StartProjectOptions } from './start-project.ts';
