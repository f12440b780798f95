import { defineOperation } from '../../core/operation.ts';
import { benchmark } from './benchmark.ts';
import { BenchmarkReport } from '../../load/metrics.ts';
import { BenchmarkInput } from './schema.ts';
import { viewBenchmark } from './view.ts';

/** `websocket-skill benchmark`. */
export const operation = defineOperation({
  examples: [
    'benchmark --url ws://localhost:8080 --connections 1000 --messages-per-second 100 --duration 60s',
    'benchmark --url ws://localhost:8080 --connections 64 --pipeline 16',
    'benchmark --project chat-server --mode fanout --connections 200 --messages-per-second 20',
    'benchmark --url ws://localhost:8080 --rate 5000 --threshold "p99<20ms" --threshold "errors<0.1%"',
    'benchmark --url ws://localhost:8080 --find-max --slo "p99<50ms"',
    'benchmark --url ws://localhost:8080 --compare ws://localhost:8081 --rate 5000',
  ],
  input: BenchmarkInput,
  output: BenchmarkReport,
  view: viewBenchmark,
  run: benchmark,
});
