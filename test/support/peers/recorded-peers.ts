import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const fixtures = fileURLToPath(new URL('../../fixtures/conformance', import.meta.url));

/**
 * Starts a peer of `test/fixtures/conformance`, most of which have their verdicts by Autobahn on
 * record there; `await using` ends it.
 */
export function startPeer(file: string, ...args: string[]): ChildProcess & AsyncDisposable {
  const child = spawn(process.execPath, [...nodeFlags(file), path.join(fixtures, file), ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return Object.assign(child, {
    async [Symbol.asyncDispose](): Promise<void> {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  });
}

/** Node 20 has a WebSocket of its own behind a flag. */
function nodeFlags(file: string): string[] {
  const behindFlag = file.startsWith('node-') && !('WebSocket' in globalThis);
  return behindFlag ? ['--experimental-websocket', '--no-warnings'] : [];
}

/** The URL of a peer that prints its port. */
export async function urlOf(peer: ChildProcess): Promise<string> {
  if (peer.stdout === null) throw new Error('the peer has no standard output');
  const [line] = (await once(peer.stdout, 'data')) as [Buffer];
  return `ws://127.0.0.1:${/\d+/.exec(String(line))?.[0] ?? ''}/`;
}
