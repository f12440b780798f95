import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect } from 'vitest';

const run = promisify(execFile);

/**
 * Does with an installed skill what an agent does first: reads the help, looks at the configuration,
 * generates an echo server into the project, starts it and stops it.
 */
export async function useInstalledSkill(
  folder: string,
  project: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const script = path.join(folder, 'scripts/websocket.mjs');
  const skill = async (...args: string[]): Promise<string> =>
    (await run(process.execPath, [script, ...args], { cwd: project, env })).stdout;
  expect(await skill('--help')).toContain('generate-server');
  expect(JSON.parse(await skill('config', '--json'))).toMatchObject({ success: true });
  await skill('generate-server', '--language', 'nodejs', '--type', 'echo', '--output', 'echo.js');
  await startAndStop(path.join(project, 'echo.js'), env);
}

/** Starts a generated server on a free port until it says that it listens, then ends it. */
async function startAndStop(file: string, env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(process.execPath, [file], { env: { ...env, PORT: '0' } });
  try {
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    expect(JSON.parse(line)).toMatchObject({ event: 'listening' });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
  }
}
