export { reachServer } from '../../target/reach.ts';
export type { Server } from '../../target/reach.ts';
export { runPlan } from './run-plan.ts';
export type { Run, RunOptions } from './run-plan.ts';
