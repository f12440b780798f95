export { EnvironmentWatch, environmentNotes } from './environment.ts';
export { findServer } from './find-server.ts';
export { ServerWatch } from './server-watch.ts';
export type { ServerSecond, ServerUse } from './server-use.ts';
