import type { LoadPlan } from '../../src/load/plan.ts';
import type { BenchmarkReport, Metrics } from '../../src/load/metrics.ts';
import { summarize } from '../../src/load/stats/index.ts';
import { loadPlan, loadResult } from './load-results.ts';

/** What a run in which nothing happened measured, with `changes`. */
export function measuredOf(changes: Partial<Metrics> = {}, plan: LoadPlan = loadPlan()): Metrics {
  return { ...summarize(loadResult(), plan, null), ...changes };
}

/** The report of a run that passed, with `changes`. */
export function benchmarkReport(changes: Partial<BenchmarkReport> = {}): BenchmarkReport {
  return {
    operation: 'benchmark',
    target: 'ws://localhost:8080',
    mode: 'echo',
    status: 'passed',
    success: true,
    startedAt: '2026-01-01T00:00:00.000Z',
    command: 'websocket-skill benchmark --url ws://localhost:8080',
    load: 'open loop: 1,000 messages per second from 100 connections, 32 bytes of binary',
    measured: measuredOf(),
    repeats: null,
    comparison: null,
    search: null,
    thresholds: [],
    environment: {
      node: 'v20.0.0',
      version: '0.1.0',
      platform: 'linux x64',
      cpu: 'CPU',
      cores: 2,
      memoryBytes: 1,
      loadAverage: 0,
      otherCpu: null,
      descriptorLimit: null,
      portRange: null,
      governor: null,
    },
    notes: [],
    reports: ['/tmp/benchmark-report/index.html'],
    durationMs: 1000,
    ...changes,
  };
}
