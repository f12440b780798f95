import { readFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import type * as z from 'zod';
import { VERSION } from '../../core/version.ts';
import type { Environment } from '../metrics.ts';
import { otherShare, readCpuTimes } from './cpu-times.ts';

/** The part of `Machine` that belongs to the figures. */
interface Limits {
  readonly cores: number;
  readonly descriptors: number | null;
  readonly ports: { readonly low: number; readonly high: number } | null;
}

/** Other programs that use more than this share of all cores distort the figures. */
const MUCH = 0.1;

/** Describes the machine during the runs; made before the first. */
export class EnvironmentWatch {
  readonly #limits: Limits;
  readonly #loadAverage = loadavg()[0] ?? 0;
  readonly #cpuTimes = readCpuTimes();
  readonly #ownCpu = process.cpuUsage();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** `serverCpuMs` is the server's CPU time since this was made, as far as it is known. */
  read(serverCpuMs: number): z.output<typeof Environment> {
    const { user, system } = process.cpuUsage(this.#ownCpu);
    const ownMs = (user + system) / 1000 + serverCpuMs;
    const { cores, descriptors, ports } = this.#limits;
    return {
      node: process.version,
      version: VERSION,
      platform: `${process.platform} ${process.arch}`,
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores,
      memoryBytes: totalmem(),
      loadAverage: this.#loadAverage,
      otherCpu: otherShare(this.#cpuTimes, readCpuTimes(), ownMs),
      descriptorLimit: descriptors,
      portRange: ports === null ? null : `${ports.low}-${ports.high}`,
      governor: readGovernor(),
    };
  }
}

/** Notes on an environment that makes figures doubtful. */
export function environmentNotes({ otherCpu }: z.output<typeof Environment>): string[] {
  if (otherCpu === null || otherCpu <= MUCH) return [];
  const share = `${Math.round(otherCpu * 100)} %`;
  return [
    `other programs used ${share} of this machine's cores during the run: the figures are less exact`,
  ];
}

function readGovernor(): string | null {
  try {
    const file = '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor';
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null;
  }
}
