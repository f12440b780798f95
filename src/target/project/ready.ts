import { get } from 'node:http';
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

export interface ReadyOptions {
  readonly url: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Polls `url` until it answers 200; resolves to the last status seen, or undefined for none. */
export async function pollUntilReady(options: ReadyOptions): Promise<number | undefined> {
  const deadline = performance.now() + options.timeoutMs;
  let status: number | undefined;
  while (performance.now() < deadline && !options.signal.aborted) {
    status = (await statusOf(options.url)) ?? status;
    if (status === 200) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return status;
}

function statusOf(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 1000 }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}
