import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/**
 * Waits for the line a generated server prints as soon as it listens:
 * `{"level":"info","event":"listening","port":43521,"url":"ws://localhost:43521"}`.
 *
 * Resolves to the port, or to undefined when the output ends without such a line.
 */
export function listeningPort(stdout: Readable): Promise<number | undefined> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: stdout, crlfDelay: Infinity });
    lines.on('line', (line) => {
      const port = portIn(line);
      if (port !== undefined) resolve(port);
    });
    lines.on('close', () => resolve(undefined));
  });
}

function portIn(line: string): number | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const entry = JSON.parse(line) as { event?: unknown; port?: unknown };
    return entry.event === 'listening' && typeof entry.port === 'number' ? entry.port : undefined;
  } catch {
    // Not a log line: a server may print what it likes besides.
    return undefined;
  }
}
