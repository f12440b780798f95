import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { describe } from 'vitest';

/** What is missing, in one line; `undefined` when nothing is. */
export type Probe = () => string | undefined;

/**
 * Gives `describe` for a leg that needs more than Node and `npm ci`, or its skipping form.
 *
 * What is missing is installed first where `install` can; `probe` then decides. The reason of a
 * skip is printed in one line, and with CI=true it is thrown instead: there nothing may be missing.
 */
export function requirement(
  name: string,
  probe: Probe,
  install?: () => void,
): typeof describe | typeof describe.skip {
  const missing = probe();
  const reason = missing === undefined || install === undefined ? missing : attempt(install, probe);
  if (reason === undefined) return describe;
  if (process.env['CI'] === 'true') throw new Error(`${name} cannot be tested: ${reason}`);
  process.stderr.write(`skipped: ${name}: ${reason}\n`);
  return describe.skip;
}

function attempt(install: () => void, probe: Probe): string | undefined {
  try {
    install();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return `${probe() ?? 'installing failed'} (${said.trim().split('\n').at(-1) ?? ''})`;
  }
  return probe();
}

/** Installs a Debian package; throws where that cannot work (no apt-get, not root, no network). */
export function installDebian(name: string): void {
  if (process.getuid?.() !== 0) throw new Error(`apt-get install ${name} needs root`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const aptGet = (...args: string[]): void => {
    execFileSync('apt-get', ['-qq', ...args], { env, stdio: 'pipe' });
  };
  aptGet('update');
  aptGet('install', '-y', '--no-install-recommends', name);
}

/** A probe for a program: runs it with `args` and reports its absence as `<program> is missing`. */
export function program(name: string, args: readonly string[], expected?: RegExp): Probe {
  return () => {
    try {
      const said = execFileSync(name, [...args], { stdio: 'pipe', encoding: 'utf8' });
      return expected === undefined || expected.test(said) ? undefined : `${name} is another one`;
    } catch {
      return `${name} is missing`;
    }
  };
}
