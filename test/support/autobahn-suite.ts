import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { autobahnTest } from '../../src/operations/autobahn-test/autobahn-test.ts';
import { AutobahnTestInput } from '../../src/operations/autobahn-test/schema.ts';
import type { AutobahnTestReport } from '../../src/operations/autobahn-test/schema.ts';
import type { OperationContext } from '../../src/core/operation.ts';
import { freePort } from '../../src/target/project/redis.ts';
import { operationContext } from './operation-context.ts';
import { startPeer } from './peers/recorded-peers.ts';
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
