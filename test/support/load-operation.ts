import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { BenchmarkReport } from '../../src/load/metrics.ts';
import { websocketSkill } from './programs.ts';
import type { Ended } from './programs.ts';
import { temporaryFolder } from './temporary-folder.ts';

const MOODY = fileURLToPath(new URL('../fixtures/load/moody-server.mjs', import.meta.url));

/** A server of its own process, in order but for one habit; `await using` ends it. */
export interface MoodyServer extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

/** Starts `test/fixtures/load/moody-server.mjs` in one of its modes. */
export async function startMoodyServer(mode = 'echo'): Promise<MoodyServer> {
  const child = spawn(process.execPath, [MOODY, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    url: `ws://127.0.0.1:${line.toString().trim()}/`,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

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
