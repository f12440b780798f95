export { reachServer } from './reach.ts';
export type { Server } from './reach.ts';
export { runPlan } from './run-plan.ts';
export type { Run, RunOptions } from './run-plan.ts';
