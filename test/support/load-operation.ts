import path from 'node:path';
import { BenchmarkReport } from '../../src/load/metrics.ts';
import { websocketSkill } from './programs.ts';
import type { Ended } from './programs.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface Benchmarked extends Ended {
  readonly report: BenchmarkReport;
  /** In which the program ran, and wrote its reports into `benchmark-report`. */
  readonly folder: string;
}

type Watch = Parameters<typeof websocketSkill>[2];

/** Runs `benchmark` of the built command line with `--json`; throws when it prints no report. */
export async function runBenchmark(args: readonly string[], watch?: Watch): Promise<Benchmarked> {
  const folder = temporaryFolder();
  const ended = await websocketSkill(['benchmark', ...args, '--json'], { cwd: folder }, watch);
  const report = BenchmarkReport.safeParse(jsonOf(ended.stdout));
  if (report.success) return { ...ended, report: report.data, folder: path.resolve(folder) };
  throw new Error(`exit ${ended.code}: ${ended.stdout}${ended.stderr}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
