import process from 'node:process';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { program, requirement } from '../support/requirement.ts';

const written: string[] = [];

beforeEach(() => {
  written.length = 0;
  vi.stubEnv('CI', '');
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe('a leg of the tests that needs more than Node', () => {
  it('runs when nothing is missing, and installs nothing then', () => {
    const install = vi.fn();
    expect(requirement('x', () => undefined, install)).toBe(describe);
    expect(install).not.toHaveBeenCalled();
    expect(written).toEqual([]);
  });

  it('runs when what was missing could be installed', () => {
    let missing: string | undefined = 'no x';
    const leg = requirement(
      'x',
      () => missing,
      () => (missing = undefined),
    );
    expect(leg).toBe(describe);
  });

  it('is skipped with the reason in one line otherwise', () => {
    const leg = requirement(
      'x',
      () => 'no x',
      () => {
        throw new Error('first\nlast');
      },
    );
    expect(leg).not.toBe(describe);
    expect(written).toEqual(['skipped: x: no x (last)\n']);
  });

  it('fails in CI in place of being skipped', () => {
    vi.stubEnv('CI', 'true');
    expect(() => requirement('x', () => 'no x')).toThrow('x cannot be tested: no x');
  });
});

describe('the probe for a program', () => {
  it('finds one that is there', () => {
    expect(program(process.execPath, ['--version'], /^v\d/)()).toBeUndefined();
  });

  it('says what is missing or another program of that name', () => {
    expect(program('no-such-program', [])()).toBe('no-such-program is missing');
    expect(program(process.execPath, ['--version'], /util-linux/)()).toMatch(/is another one$/);
  });
});
