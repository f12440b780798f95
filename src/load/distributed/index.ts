export { benchmarkWorker } from '../../operations/benchmark-worker/benchmark-worker.ts';
export { printableRedisUrl } from './redis.ts';
export { runDistributed } from './run-distributed.ts';
export type { DistributedOptions } from './run-distributed.ts';
