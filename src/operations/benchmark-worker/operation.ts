import { defineOperation } from '../../core/operation.ts';
import { benchmarkWorker } from './benchmark-worker.ts';
import { BenchmarkWorkerInput, BenchmarkWorkerReport } from './schema.ts';
import { viewBenchmarkWorker } from './view.ts';

/** `websocket-skill benchmark-worker`. */
export const operation = defineOperation({
  examples: [
    'benchmark-worker --redis redis://localhost:6379',
    'benchmark-worker --redis rediss://:password@redis.example.com --name berlin-1 --once',
    'benchmark-worker --redis redis://redis:6379 --allow-target "*.staging.example.com"',
  ],
  input: BenchmarkWorkerInput,
  output: BenchmarkWorkerReport,
  view: viewBenchmarkWorker,
  run: benchmarkWorker,
});
