export type { ServerSecond, ServerUse } from './server-use.ts';
