import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import {
  startTester,
  recordedVerdicts,
  runSuite,
  stopTester,
  verdictsById,
} from '../support/autobahn-suite.ts';
import { startPeer, urlOf } from '../support/peers/recorded-peers.ts';
import { startWsServer } from '../support/peers/ws-server.ts';
import { sampleMark, testsAll } from '../support/test-all.ts';

/**
 * Our verdicts beside those of the real suite, for peers of every kind: in order, strict in another
 * way, wrong, and never dropping TCP. `bench/compare-with-autobahn.mjs` does the same for all of them.
 */

const recorded = recordedVerdicts();

/** Cases that wait for a minute when the peer does not echo. */
const SLOW = new Set(['9.7.1']);

type Verdicts = Readonly<Record<string, string>>;

/** The recorded verdicts of a peer, by case: all of them, or a sample. */
function known(
  groups: Verdicts | undefined,
  wanted: (id: string) => boolean = () => true,
): Verdicts {
  const rows = Object.entries(verdictsById(groups ?? {})).filter(
    ([id]) => !SLOW.has(id) && wanted(id),
  );
  expect(rows.length).toBeGreaterThan(8);
  return Object.fromEntries(testsAll ? rows : sampleOf(rows));
}

/** Every fifth case of a section, and the first of each verdict: at least one of both kinds. */
function sampleOf(rows: readonly (readonly [id: string, verdict: string])[]) {
  const sections = new Map<string, number>();
  const verdicts = new Set<string>();
  return rows.filter(([id, verdict]) => {
    const section = id.slice(0, id.lastIndexOf('.'));
    const at = sections.get(section) ?? 0;
    sections.set(section, at + 1);
    const isNew = !verdicts.has(verdict);
    verdicts.add(verdict);
    return isNew || at % 5 === 0;
  });
}

describe('servers', () => {
  it.each([
    'none',
    'mask',
    'drop-on-open',
    'drop-on-close',
    'double-echo',
    'fail-1000',
    'ignore-violations',
    'lax-close,reply-echo',
    'msg-after-close',
    'no-tcp-drop',
    'pong-last-only',
    'reply-bad-code',
    'unasked-ext',
    'utf8-at-end',
  ])(`%s: every verdict equals Autobahn’s${sampleMark}`, async (flags) => {
    const expected = known(recorded.wrongServers[flags]);
    await using server = startPeer('wrong-server.mjs', '0', flags);
    const run = await runSuite({ url: await urlOf(server), cases: Object.keys(expected) });
    expect(run.verdicts).toEqual(expected);
  });

  it(`ws: every verdict outside of sections 12 and 13 equals Autobahn’s${sampleMark}`, async () => {
    const expected = known(recorded.ws['server plain'], (id) => !/^1[23]\./.test(id));
    await using server = await startWsServer();
    const run = await runSuite({ url: server.url, cases: Object.keys(expected) });
    expect(run.verdicts).toEqual(expected);
  });
});

describe('clients', () => {
  it.each([
    'none',
    'client-drops',
    'drop-on-open',
    'drop-on-close',
    'fail-empty',
    'ignore-violations',
    'msg-after-close',
    'reply-bad-code',
    'utf8-at-end',
  ])(`%s: every verdict equals Autobahn’s${sampleMark}`, async (flags) => {
    const expected = known(recorded.wrongClients[flags]);
    const ids = Object.keys(expected);
    const { port, tested } = await startTester({ cases: ids });
    const shares = Array.from({ length: 4 }, (_, at) => ids.filter((_id, n) => n % 4 === at));
    await Promise.all(
      shares.map(async (share) => {
        await using client = startPeer('wrong-client.mjs', String(port), flags, share.join(','));
        await once(client, 'exit');
      }),
    );
    await stopTester(port);
    expect((await tested).verdicts).toEqual(expected);
  });
});
