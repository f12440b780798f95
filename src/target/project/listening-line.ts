import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/**
 * Waits for the JSON line that a generated server prints as soon as it listens. The line holds the
 * `fields` and the port: `{"level":"info","event":"listening","port":43521}`.
 *
 * Resolves to the port, or to undefined when the output ends without such a line.
 */
export function listeningPort(
  stdout: Readable,
  fields: Readonly<Record<string, string>>,
): Promise<number | undefined> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: stdout, crlfDelay: Infinity });
    lines.on('line', (line) => {
      const port = portIn(line, fields);
      if (port !== undefined) resolve(port);
    });
    lines.on('close', () => resolve(undefined));
  });
}

function portIn(line: string, fields: Readonly<Record<string, string>>): number | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const entry = JSON.parse(line) as Record<string, unknown>;
    const matches = Object.entries(fields).every(([name, value]) => entry[name] === value);
    return matches && typeof entry['port'] === 'number' ? entry['port'] : undefined;
  } catch {
    // Servers may print other lines, too.
    return undefined;
  }
}
