import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { generateServer, GenerateServerInput } from '../../src/generate/index.ts';
import { readProject } from '../../src/project/manifest.ts';
import { operationContext } from '../support/operation-context.ts';
import { startServerProcess } from '../support/server-process.ts';
import type { Boot } from './checks.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A generated server on disk; `dispose` removes it. */
export interface GeneratedServer {
  /** The folder it is in. */
  readonly folder: string;
  readonly boot: Boot;
  readonly dispose: () => void;
}

/**
 * Generates a server into a new folder and makes it ready to start. What `npm install` would bring
 * is linked from this package, whose versions satisfy the generated ones.
 */
export async function generateForTest(
  input: z.input<typeof GenerateServerInput>,
): Promise<GeneratedServer> {
  const folder = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-'));
  const dispose = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const output = input.output ?? 'server/';
    const parsed = GenerateServerInput.parse({ ...input, output });
    const report = await generateServer(parsed, operationContext({ cwd: folder }));
    const { root: cwd, manifest } = await readProject(report.output);
    const { install, build, start } = manifest.commands;
    if (install !== null) symlinkSync(path.join(root, 'node_modules'), `${cwd}/node_modules`);
    if (build !== null) compile(cwd);
    const args = start.slice(1);
    return {
      folder: cwd,
      boot: (env) => startServerProcess(args, { cwd, env: env ?? {} }),
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Runs the compiler on a generated project; throws what it says. */
export function compile(folder: string): void {
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  try {
    execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    throw new Error(String((error as { stdout?: unknown }).stdout ?? error), { cause: error });
  }
}
