import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { autobahnTest } from '../../src/operations/autobahn-test/autobahn-test.ts';
import { AutobahnTestInput } from '../../src/operations/autobahn-test/schema.ts';
import type { AutobahnTestReport } from '../../src/operations/autobahn-test/schema.ts';
import type { OperationContext } from '../../src/core/operation.ts';
import { operationContext } from './operation-context.ts';
import { temporaryFolder } from './temporary-folder.ts';

const fixtures = fileURLToPath(new URL('../fixtures/conformance', import.meta.url));

/** Autobahn's verdicts on record: by group, peer and verdict the ids, with spaces between. */
export interface RecordedVerdicts {
  readonly wrongServers: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly wrongClients: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly ws: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** What the real suite found. */
export function recordedVerdicts(): RecordedVerdicts {
  return JSON.parse(
    readFileSync(path.join(fixtures, 'autobahn-verdicts.json'), 'utf8'),
  ) as RecordedVerdicts;
}

/** `behavior / behaviorClose / remoteCloseCode` by case. */
export function verdictsById(groups: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(groups).flatMap(([verdict, ids]) => ids.split(' ').map((id) => [id, verdict])),
  );
}

/** Starts a peer of `test/fixtures/conformance`; `await using` ends it. */
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

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface SuiteRun {
  readonly report: AutobahnTestReport;
  /** `behavior / behaviorClose / remoteCloseCode` by case, as index.json has them. */
  readonly verdicts: Readonly<Record<string, string>>;
  /** Folder of the reports. */
  readonly output: string;
}

interface Judged {
  readonly behavior: string;
  readonly behaviorClose: string;
  readonly remoteCloseCode: number | null;
}

/** Runs the suite as the operation does, and reads the verdicts back from its reports. */
export async function runSuite(
  input: Partial<AutobahnTestInput>,
  context: Partial<OperationContext> = {},
): Promise<SuiteRun> {
  const output = temporaryFolder();
  const report = await autobahnTest(
    AutobahnTestInput.parse({ agent: 'peer', ...input, output }),
    operationContext(context),
  );
  const index = JSON.parse(readFileSync(path.join(output, 'index.json'), 'utf8')) as Record<
    string,
    Record<string, Judged>
  >;
  const cases = Object.values(index)[0] ?? {};
  const verdicts = Object.fromEntries(
    Object.entries(cases).map(([id, { behavior, behaviorClose, remoteCloseCode }]) => [
      id,
      `${behavior} / ${behaviorClose} / ${String(remoteCloseCode)}`,
    ]),
  );
  return { report, verdicts, output };
}

export interface Tester {
  readonly port: number;
  /** Settles when the tester is stopped. */
  readonly tested: Promise<SuiteRun>;
}

/** Runs the suite as a server, and returns once clients may come to it. */
export async function startTester(input: Partial<AutobahnTestInput>): Promise<Tester> {
  const port = await freePort();
  let listens = (): void => undefined;
  const listening = new Promise<void>((resolve) => (listens = resolve));
  const tested = runSuite(
    { ...input, role: 'client', port },
    {
      emit: () => {
        listens();
      },
    },
  );
  await Promise.race([listening, tested]);
  return { port, tested };
}

/** Stops a tester that waits for clients, as a client does. */
export async function stopTester(port: number): Promise<void> {
  await using peer = startPeer('wrong-client.mjs', String(port), 'none', '1.1.1', 'stop');
  await once(peer, 'exit');
}
