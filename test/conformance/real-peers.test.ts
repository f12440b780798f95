import { afterAll, expect, it } from 'vitest';
import { allCases } from '../../src/conformance/autobahn/cases/index.ts';
import type { AutobahnTestReport } from '../../src/operations/autobahn-test/schema.ts';
import { runSuite, stopTester } from '../support/autobahn-suite.ts';
import { freePort } from '../../src/target/project/redis.ts';
import {
  coderWebsocket,
  pythonWebsockets,
  startRealClient,
  startRealServer,
} from '../support/peers/real-peers.ts';
import type { RealPeer } from '../support/peers/real-peers.ts';
import { requirement } from '../support/requirement.ts';

/** Everything but minutes of large messages. */
const EXCLUDED = ['9.*'];

/** Cases a client has at the same time. */
const AT_A_TIME = 8;

/** Ids with a verdict. */
function idsOf({ cases }: AutobahnTestReport, verdict: string): string[] {
  return cases.filter((row) => row.verdict === verdict).map(({ id }) => id);
}

/** Lets a client that is told where to connect go through all cases. */
async function testRealClient(peer: RealPeer): Promise<AutobahnTestReport> {
  const port = await freePort();
  const waiting = allCases()
    .map(({ id }) => id)
    .filter((id) => !id.startsWith('9.'));
  const { length } = waiting;
  await using client = startRealClient(peer);
  const next = (): void => {
    const id = waiting.shift();
    if (id !== undefined) {
      client.connect(`ws://127.0.0.1:${port}/runCase?casetuple=${id}&agent=peer`);
    }
  };
  let listening = false;
  const { report } = await runSuite(
    { role: 'client', port, quick: true, exclude: EXCLUDED },
    {
      emit: ({ stage, done }) => {
        if (!listening && stage.startsWith('waiting for clients')) {
          listening = true;
          for (let one = 0; one < AT_A_TIME; one++) next();
        }
        if (done === undefined) return;
        next();
        if (done === length) void stopTester(port);
      },
    },
  );
  return report;
}

/** What is known about a library; how strict it is may depend on what comes in one piece. */
interface Known {
  readonly fails: (id: string, as: 'server' | 'client') => boolean;
  readonly nonStrict: RegExp;
  /** Sections 13.x it does not negotiate. */
  readonly unimplemented: Readonly<Record<'server' | 'client', RegExp>>;
}

/** Cases with a text that is no UTF-8. */
function isInvalidText(id: string): boolean {
  const script = allCases().find((definition) => definition.id === id)?.script;
  return script?.kind === 'events' && script.close.closedByWrongEndpointIsFatal === true;
}

function testReal(name: string, peer: RealPeer, known: Known): void {
  afterAll(() => {
    peer.remove();
  });
  const check = (report: AutobahnTestReport, as: 'server' | 'client'): void => {
    const ids = allCases().map(({ id }) => id);
    expect(idsOf(report, 'fail')).toEqual(ids.filter((id) => known.fails(id, as)));
    expect(idsOf(report, 'unimplemented')).toEqual(
      ids.filter((id) => known.unimplemented[as].test(id)),
    );
    expect(idsOf(report, 'non-strict').filter((id) => !known.nonStrict.test(id))).toEqual([]);
    expect(report.verdicts.pass).toBeGreaterThan(300);
  };
  requirement(
    name,
    peer.probe,
    peer.install,
  )(name, () => {
    it('gets its verdicts as a server', async () => {
      await using server = await startRealServer(peer);
      const { report } = await runSuite({ url: server.url, quick: true, exclude: EXCLUDED });
      check(report, 'server');
    });

    it('gets its verdicts as a client', async () => {
      check(await testRealClient(peer), 'client');
    });
  });
}

testReal('websockets', pythonWebsockets(), {
  // A close frame inside an unfinished message is answered with 1002, which its authors defend.
  fails: (id) => id === '7.1.5',
  // It closes before it echoes what came in the same piece, and checks UTF-8 at the end.
  nonStrict: /^(?:3\.[234]|4\.[12]\.[345]|5\.15|6\.4\.[1234])$/,
  unimplemented: { server: /^$/, client: /^$/ },
});

testReal('coder/websocket', coderWebsocket(), {
  // It leaves the check of UTF-8 to the application, by design.
  fails: (id) => isInvalidText(id) || id === '7.5.1',
  nonStrict: /^(?:3\.[234]|4\.[12]\.[345]|5\.15)$/,
  // Windows are not negotiable with Go's compress/flate.
  unimplemented: { server: /^13\.[35]\./, client: /^13\.[3456]\./ },
});
