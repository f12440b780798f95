import { get } from 'node:http';

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
