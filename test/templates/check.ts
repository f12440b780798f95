import { expect } from 'vitest';
import type { ServerProcess } from '../support/server-process.ts';
import { openClient } from '../support/test-client.ts';
import type { TestClient } from '../support/test-client.ts';

/** Starts the server under test with some settings. */
export type Boot = (env?: Readonly<Record<string, string>>) => Promise<ServerProcess>;

/** What a server does with a message; everything else is the same for all. */
export type Kind = 'echo' | 'chat';

export interface CheckContext {
  readonly boot: Boot;
  readonly kind: Kind;
  /** Bounds the wait for something that happens at once, unless the guard for it is missing. */
  readonly soon: <T>(promise: Promise<T>, what: string) => Promise<T>;
}

/** One behaviour that a guard of the generated server is there for. */
export type Check = (context: CheckContext) => Promise<void>;

/** The server answers a message: it lives, and so does this connection. */
export async function expectAnswer(client: TestClient, kind: Kind): Promise<void> {
  if (kind === 'chat') await client.request({ type: 'ping' });
  else {
    client.send('are you there?');
    expect(await client.next()).toBe('are you there?');
  }
}

/** The server takes new clients and answers them. */
export async function expectAlive(
  server: ServerProcess,
  { kind, soon }: Pick<CheckContext, 'kind' | 'soon'>,
): Promise<void> {
  const client = await openClient(server.port);
  await soon(expectAnswer(client, kind), 'an answer');
  client.socket.terminate();
  expect(server.isRunning()).toBe(true);
}
