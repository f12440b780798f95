import { expect, it } from 'vitest';
import { EnvironmentWatch, environmentNotes } from '../../../../src/load/host/index.ts';
import { otherShare } from '../../../../src/load/host/cpu-times.ts';
import { Environment } from '../../../../src/load/metrics.ts';

it('describes machine and limits', () => {
  const watch = new EnvironmentWatch({
    cores: 2,
    descriptors: null,
    ports: { low: 1000, high: 2000 },
  });
  const environment = watch.read(0);
  expect(Environment.parse(environment)).toEqual(environment);
  expect(environment).toMatchObject({
    node: process.version,
    cores: 2,
    descriptorLimit: null,
    portRange: '1000-2000',
  });
});

it('counts as others what neither generator nor server used', () => {
  const before = { busyMs: 1000, allMs: 10_000 };
  expect(otherShare(before, { busyMs: 1900, allMs: 12_000 }, 500)).toBeCloseTo(0.2);
  // Clocks of processes and of the machine do not tick together.
  expect(otherShare(before, { busyMs: 1900, allMs: 12_000 }, 950)).toBe(0);
  expect(otherShare(before, before, 0)).toBeNull();
});

it('warns of noise where others used more than a tenth', () => {
  const environment = new EnvironmentWatch({ cores: 2, descriptors: 1, ports: null }).read(0);
  expect(environmentNotes({ ...environment, otherCpu: 0.34 })).toEqual([
    "other programs used 34 % of this machine's cores during the run: the figures are less exact",
  ]);
  expect(environmentNotes({ ...environment, otherCpu: 0.1 })).toEqual([]);
  expect(environmentNotes({ ...environment, otherCpu: null })).toEqual([]);
});
