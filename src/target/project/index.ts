export { readClient, readProject } from './manifest.ts';
export type { ClientProject, Manifest } from './manifest.ts';
export { openRedis } from './redis.ts';
export type { SharedRedis } from './redis.ts';
export { prepare, runTests, startProject } from './start-project.ts';
export type { OwnTests, RunningProject, StartProjectOptions } from './start-project.ts';
