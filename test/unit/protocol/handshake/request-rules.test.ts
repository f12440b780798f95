import { describe, expect, it } from 'vitest';
import { HeadDecoder, checkRequest } from '../../../../src/protocol/index.ts';
import type { RuleResult } from '../../../../src/protocol/index.ts';

const LINES = [
  'GET /chat HTTP/1.1',
  'Host: server.example.com',
  'Upgrade: websocket',
  'Connection: keep-alive, Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
];

/** Checks the good request with some lines replaced by name, or added. */
function check(...changes: string[]): RuleResult[] {
  const lines = [...LINES];
  for (const change of changes) {
    const name = /^[^:]*:/.exec(change)?.[0] ?? '';
    const at = / HTTP\/1\..$/.test(change) ? 0 : lines.findIndex((line) => line.startsWith(name));
    if (at < 0 || (name === '' && at > 0)) lines.push(change);
    else if (change === name) lines.splice(at, 1);
    else lines[at] = change;
  }
  return checkLines(lines);
}

function checkLines(lines: readonly string[]): RuleResult[] {
  const decoder = new HeadDecoder('request');
  decoder.receive(Buffer.from([...lines, '\r\n'].join('\r\n'), 'latin1'));
  const head = decoder.head();
  if (head === undefined) throw new Error(decoder.violation?.message);
  return checkRequest(head);
}

const idsOf = (rules: RuleResult[], verdict: RuleResult['verdict']): string[] =>
  rules.filter((rule) => rule.verdict === verdict).map((rule) => rule.id);

const PMD = 'Sec-WebSocket-Extensions: permessage-deflate';

/** For each rule the requests that break it and no other. */
const BREACHES: Record<string, string[][]> = {
  'request-method': [['POST /chat HTTP/1.1'], ['get /chat HTTP/1.1']],
  'request-http-version': [['GET /chat HTTP/1.0']],
  'request-target': [
    ['GET chat HTTP/1.1'],
    ['GET ws://a/ HTTP/1.1'],
    ['GET /caf\xe9 HTTP/1.1'],
    ['GET * HTTP/1.1'],
  ],
  'request-fragment': [['GET /chat#top HTTP/1.1']],
  'request-target-host': [
    ['GET http://other.example.com/chat HTTP/1.1'],
    ['GET http://server.example.com:81/chat HTTP/1.1'],
    ['GET http://server.example.com:99999/chat HTTP/1.1'],
  ],
  'request-fields': [['X-A : b'], ['X-A: \x01']],
  'request-host': [
    ['Host:'],
    ['Host: '],
    ['Host: a/b'],
    ['Host: a:70000'],
    ['Host: a b'],
    ['Host: [::1'],
  ],
  'request-upgrade': [['Upgrade:'], ['Upgrade: h2c'], ['Upgrade: websockets']],
  'request-connection': [
    ['Connection:'],
    ['Connection: keep-alive'],
    ['Connection: Upgrade-Insecure'],
  ],
  'request-key-once': [['Sec-WebSocket-Key:']],
  'request-key': [
    ['Sec-WebSocket-Key: c2hvcnQ='],
    ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ'],
    ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWFhYWFh'],
    ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!=='],
    ['Sec-WebSocket-Key: '],
  ],
  'request-version-once': [['Sec-WebSocket-Version:']],
  'request-version': [
    ['Sec-WebSocket-Version: 8'],
    ['Sec-WebSocket-Version: 013'],
    ['Sec-WebSocket-Version: 13, 8'],
  ],
  'request-origin': [
    ['Origin: example.com'],
    ['Origin: http://a/path'],
    ['Origin: '],
    ['Origin: http://a, http://b'],
    ['Origin: null http://a'],
  ],
  'request-subprotocols': [
    ['Sec-WebSocket-Protocol: '],
    ['Sec-WebSocket-Protocol: a,,b'],
    ['Sec-WebSocket-Protocol: a b'],
    ['Sec-WebSocket-Protocol: a, (b)'],
  ],
  'request-subprotocols-unique': [['Sec-WebSocket-Protocol: a, b, a']],
  'request-extensions': [['Sec-WebSocket-Extensions: '], [`${PMD};`], [`${PMD}; a="b c"`]],
  'request-deflate-names': [[`${PMD}; max_window_bits=9`]],
  'request-deflate-unique': [
    [`${PMD}; server_no_context_takeover; server_no_context_takeover`],
    [`${PMD}; client_max_window_bits; client_max_window_bits=9`],
  ],
  'request-deflate-values': [
    [`${PMD}; server_max_window_bits`],
    [`${PMD}; server_max_window_bits=7`],
    [`${PMD}; server_max_window_bits=16`],
    [`${PMD}; client_max_window_bits=08`],
    [`${PMD}; client_max_window_bits=+9`],
    [`${PMD}; client_no_context_takeover=true`],
    [`${PMD}, permessage-deflate; server_max_window_bits=7`],
  ],
};

describe('checkRequest', () => {
  it('finds nothing wrong with a request that uses everything', () => {
    const rules = check(
      'GET http://Server.example.com:80/chat?a=[b]&c=%20 HTTP/1.1',
      'Upgrade: h2c, WebSocket',
      'Origin: https://example.com:8443',
      'Sec-WebSocket-Protocol: chat, super.chat',
      `${PMD}; client_max_window_bits; server_max_window_bits=10; server_no_context_takeover`,
    );
    expect(idsOf(rules, 'fail')).toEqual([]);
    expect(idsOf(rules, 'skip')).toEqual([]);
  });

  it('skips rules about fields that need not be there', () => {
    expect(idsOf(check(), 'skip')).toEqual([
      'request-target-host',
      'request-origin',
      'request-subprotocols',
      'request-subprotocols-unique',
      'request-extensions',
      'request-deflate-names',
      'request-deflate-unique',
      'request-deflate-values',
    ]);
    expect(idsOf(check('Origin: null', 'Host: [::1]:8080'), 'fail')).toEqual([]);
    for (const origin of ['file://', 'chrome-extension://abc', 'http://a https://b:8443']) {
      expect(idsOf(check(`Origin: ${origin}`), 'fail')).toEqual([]);
    }
  });

  it.each(
    Object.entries(BREACHES).flatMap(([id, all]) => all.map((changes) => [id, changes] as const)),
  )('reports %s for %j and nothing else', (id, changes) => {
    const rules = check(...changes);
    expect(idsOf(rules, 'fail')).toEqual([id]);
    const rule = rules.find((candidate) => candidate.id === id);
    expect(rule?.violation?.data).toEqual({ seen: rule?.seen, expected: rule?.expected });
    expect(rule?.violation?.rfc).toBe(rule?.rfc);
  });

  it.each([
    ['request-host', 'Host: other'],
    ['request-key-once', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='],
    ['request-version-once', 'Sec-WebSocket-Version: 13'],
  ])('reports %s when the field is there twice', (id, line) => {
    expect(idsOf(checkLines([...LINES, line]), 'fail')).toEqual([id]);
  });

  it('has a request here that breaks each of its rules', () => {
    expect(check().map((rule) => rule.id)).toEqual(Object.keys(BREACHES));
  });

  it('says what was seen and what was expected', () => {
    const [rule] = check('Upgrade: h2c').filter(({ verdict }) => verdict === 'fail');
    expect(rule).toMatchObject({
      id: 'request-upgrade',
      rfc: '6455#4.1',
      seen: '"h2c"',
      expected: 'websocket',
      fatal: true,
      violation: { code: 'WSK_UPGRADE', message: '"h2c", expected websocket' },
    });
  });
});
