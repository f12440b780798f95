export { startProject } from './start-project.ts';
export type { RunningProject, StartProjectOptions } from './start-project.ts';
