import { readFileSync } from 'node:fs';
import { WebSocket } from 'ws';
import { afterAll, describe, expect, it } from 'vitest';
import type { CaseResult } from '../../src/conformance/result.ts';
import { startWs } from '../support/peers/servers.ts';
import {
  notPassed,
  reasonsOf,
  testClientBeyond,
  testServerBeyond,
} from '../support/extended-cases.ts';
import {
  coderWebsocket,
  pythonWebsockets,
  startRealClient,
  startRealServer,
} from '../support/peers/real-peers.ts';
import type { RealPeer } from '../support/peers/real-peers.ts';
import { requirement } from '../support/requirement.ts';

/** By peer and id: the verdict, and why the peer has it. */
type Expectations = Readonly<Record<string, Readonly<Record<string, readonly [string, string]>>>>;

const expected = JSON.parse(
  readFileSync(
    new URL('../fixtures/conformance-extended/real-peers.json', import.meta.url),
    'utf8',
  ),
) as Expectations;

function expectVerdicts(peer: string, results: readonly CaseResult[]): void {
  const rows = Object.entries(expected[peer] ?? {});
  const verdicts = Object.fromEntries(rows.map(([id, [verdict]]) => [id, verdict]));
  expect(notPassed(results), reasonsOf(results)).toEqual(verdicts);
}

it('has a reason for every result that is no pass', () => {
  for (const rows of Object.values(expected)) {
    for (const [verdict, reason] of Object.values(rows)) {
      expect(verdict).toMatch(/^(?:FAILED|NON-STRICT|INFORMATIONAL|UNIMPLEMENTED|OK, )/);
      expect(reason.length).toBeGreaterThan(10);
    }
  }
});

describe('ws', () => {
  it('gets its verdicts as a server', async () => {
    await using server = await startWs({ perMessageDeflate: true });
    expectVerdicts('ws server', await testServerBeyond(server.url));
  });

  it('gets its verdicts as a client', async () => {
    const connect = (url: string): void => {
      const socket = new WebSocket(url);
      socket.on('error', () => undefined);
      socket.on('message', (data, binary) => {
        socket.send(data, { binary });
      });
    };
    expectVerdicts('ws client', await testClientBeyond(connect));
  });
});

describeReal('websockets', pythonWebsockets());
describeReal('coder/websocket', coderWebsocket());

function describeReal(name: string, peer: RealPeer): void {
  afterAll(() => {
    peer.remove();
  });
  requirement(
    name,
    peer.probe,
    peer.install,
  )(name, () => {
    it('gets its verdicts as a server', async () => {
      await using server = await startRealServer(peer);
      expectVerdicts(`${name} server`, await testServerBeyond(server.url));
    });

    it('gets its verdicts as a client', async () => {
      await using client = startRealClient(peer);
      expectVerdicts(`${name} client`, await testClientBeyond(client.connect));
    });
  });
}
