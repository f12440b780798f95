import { describe, expect, it } from 'vitest';
import { HeadDecoder, checkResponse, createRequest } from '../../../../src/protocol/index.ts';
import type { HeaderList, RequestHead, RuleResult } from '../../../../src/protocol/index.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const LINES = [
  'HTTP/1.1 101 Switching Protocols',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
];

function requestWith(extensions: string, headers: HeaderList = []): RequestHead {
  const protocols = ['chat', 'superchat'];
  return createRequest({ url: 'ws://localhost/', key: KEY, protocols, extensions, headers }).head;
}

const REQUEST = requestWith('permessage-deflate; client_max_window_bits=12, x-other');

function checkLines(lines: readonly string[], request: RequestHead | undefined): RuleResult[] {
  const decoder = new HeadDecoder('response');
  decoder.receive(Buffer.from([...lines, '\r\n'].join('\r\n'), 'latin1'));
  const head = decoder.head();
  if (head === undefined) throw new Error(decoder.violation?.message);
  return checkResponse(head, request);
}

/** Checks the good response with some lines replaced by name, or added. */
function check(
  changes: readonly string[],
  request: RequestHead | undefined = REQUEST,
): RuleResult[] {
  const lines = [...LINES];
  for (const change of changes) {
    const name = /^[^:]*:|^HTTP/.exec(change)?.[0] ?? '';
    const at = lines.findIndex((line) => line.startsWith(name));
    if (at < 0) lines.push(change);
    else if (change === name) lines.splice(at, 1);
    else lines[at] = change;
  }
  return checkLines(lines, request);
}

const idsOf = (rules: RuleResult[], verdict: RuleResult['verdict']): string[] =>
  rules.filter((rule) => rule.verdict === verdict).map((rule) => rule.id);

const PMD = 'Sec-WebSocket-Extensions: permessage-deflate';

/** For each rule the responses that break it and no other. */
const BREACHES: Record<string, string[][]> = {
  'response-status': [['HTTP/1.1 200 OK'], ['HTTP/1.1 401 Unauthorized'], ['HTTP/1.1 301 x']],
  'response-http-version': [['HTTP/1.0 101 Switching Protocols']],
  'response-version': [],
  'response-fields': [['X-A : b']],
  'response-upgrade': [['Upgrade:'], ['Upgrade: h2c'], ['Upgrade: websocket, h2c']],
  'response-connection': [['Connection:'], ['Connection: close']],
  'response-no-content': [['Content-Length: 0'], ['Transfer-Encoding: chunked']],
  'response-accept-once': [['Sec-WebSocket-Accept:']],
  'response-accept': [
    ['Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo='],
    ['Sec-WebSocket-Accept: '],
    [`Sec-WebSocket-Accept: ${KEY}`],
  ],
  'response-subprotocol-once': [],
  'response-subprotocol': [['Sec-WebSocket-Protocol: other'], ['Sec-WebSocket-Protocol: Chat']],
  'response-extensions-once': [],
  'response-extensions': [[`${PMD};`], ['Sec-WebSocket-Extensions: ']],
  'response-extensions-offered': [['Sec-WebSocket-Extensions: x-unasked']],
  'response-deflate-once': [[`${PMD}, permessage-deflate`]],
  'response-deflate-names': [[`${PMD}; foo`]],
  'response-deflate-unique': [[`${PMD}; client_max_window_bits=9; client_max_window_bits=9`]],
  'response-deflate-values': [
    [`${PMD}; server_max_window_bits=16`],
    [`${PMD}; server_max_window_bits`],
    [`${PMD}; client_max_window_bits`],
    [`${PMD}; server_no_context_takeover=1`],
  ],
  'response-deflate-server-takeover': [],
  'response-deflate-server-window': [],
  'response-deflate-client-window': [[`${PMD}; client_max_window_bits=13`]],
};

describe('checkResponse', () => {
  it('finds nothing wrong with a response that uses everything', () => {
    const rules = check([
      'Upgrade: WebSocket',
      'Connection: keep-alive, upgrade',
      'Sec-WebSocket-Protocol: superchat',
      `${PMD}; client_max_window_bits=12; server_max_window_bits=9; client_no_context_takeover, x-other`,
    ]);
    expect(idsOf(rules, 'fail')).toEqual([]);
    expect(idsOf(rules, 'skip')).toEqual(['response-version']);
  });

  it.each(
    Object.entries(BREACHES).flatMap(([id, all]) => all.map((changes) => [id, changes] as const)),
  )('reports %s for %j and nothing else', (id, changes) => {
    const rules = check(changes);
    expect(idsOf(rules, 'fail')).toEqual([id]);
    const rule = rules.find((candidate) => candidate.id === id);
    expect(rule?.violation?.data).toEqual({ seen: rule?.seen, expected: rule?.expected });
  });

  it('has the rules that are broken here, in this order', () => {
    expect(check([]).map((rule) => rule.id)).toEqual(Object.keys(BREACHES));
  });

  it.each([
    ['response-accept-once', ['Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=']],
    ['response-upgrade', ['Upgrade: websocket']],
    ['response-extensions-once', ['Sec-WebSocket-Extensions: x-other', PMD]],
  ])('reports %s when the field is there twice', (id, lines) => {
    expect(idsOf(checkLines([...LINES, ...lines], REQUEST), 'fail')).toEqual([id]);
  });

  it.each(['Sec-WebSocket-Protocol: chat, superchat', 'Sec-WebSocket-Protocol: '])(
    'reports a choice of subprotocol that is no single token: %s',
    (line) => {
      expect(idsOf(check([line]), 'fail')).toEqual([
        'response-subprotocol-once',
        'response-subprotocol',
      ]);
    },
  );

  it('reports two subprotocols in two fields', () => {
    const line = 'Sec-WebSocket-Protocol: chat';
    expect(idsOf(checkLines([...LINES, line, line], REQUEST), 'fail')).toEqual([
      'response-subprotocol-once',
      'response-subprotocol',
    ]);
  });

  it('reports a subprotocol and extensions that nobody offered', () => {
    const request = createRequest({ url: 'ws://localhost/', key: KEY }).head;
    expect(idsOf(check(['Sec-WebSocket-Protocol: chat', PMD], request), 'fail')).toEqual([
      'response-subprotocol',
      'response-extensions-offered',
    ]);
  });

  it('skips what needs the request when that is not known', () => {
    const extensions = `${PMD}; client_max_window_bits=15`;
    const rules = checkLines([...LINES, 'Sec-WebSocket-Protocol: other', extensions], undefined);
    expect(idsOf(rules, 'fail')).toEqual([]);
    expect(idsOf(rules, 'skip')).toEqual([
      'response-version',
      'response-accept',
      'response-subprotocol',
      'response-extensions-offered',
      'response-deflate-server-takeover',
      'response-deflate-server-window',
      'response-deflate-client-window',
    ]);
  });

  it('judges a response that switches no protocols by its status alone', () => {
    const rules = checkLines(['HTTP/1.1 404 Not Found'], REQUEST);
    expect(idsOf(rules, 'fail')).toEqual(['response-status']);
    expect(rules.find(({ id }) => id === 'response-accept')).toMatchObject({
      verdict: 'skip',
      seen: 'status 404',
    });
  });
});

describe('checkResponse of an offer of permessage-deflate', () => {
  /** The rules that a response breaks, by the offer it answers. */
  const broken = (offer: string, response: string): string[] =>
    idsOf(check([`Sec-WebSocket-Extensions: ${response}`], requestWith(offer)), 'fail');

  it.each([
    ['server_no_context_takeover', '', ['response-deflate-server-takeover']],
    ['server_no_context_takeover', 'server_no_context_takeover', []],
    ['', 'server_no_context_takeover', []],
    ['', 'client_no_context_takeover', []],
    ['server_max_window_bits=10', '', ['response-deflate-server-window']],
    ['server_max_window_bits=10', 'server_max_window_bits=11', ['response-deflate-server-window']],
    ['server_max_window_bits=10', 'server_max_window_bits=10', []],
    ['server_max_window_bits=10', 'server_max_window_bits=8', []],
    ['', 'server_max_window_bits=8', []],
    ['', 'client_max_window_bits=15', ['response-deflate-client-window']],
    ['client_max_window_bits', 'client_max_window_bits=15', []],
    ['client_max_window_bits=10', 'client_max_window_bits=11', ['response-deflate-client-window']],
    ['client_max_window_bits=10', '', []],
  ])('judges the offer "%s" answered by "%s"', (offer, response, ids) => {
    const withName = (params: string): string => `permessage-deflate${params && `; ${params}`}`;
    expect(broken(withName(offer), withName(response))).toEqual(ids);
  });

  it('gives a response the benefit of whichever offer it fits', () => {
    const offers =
      'permessage-deflate; server_max_window_bits=9, permessage-deflate; server_no_context_takeover, permessage-deflate';
    expect(broken(offers, 'permessage-deflate')).toEqual([]);
    expect(broken(offers, 'permessage-deflate; server_no_context_takeover')).toEqual([]);
    expect(broken(offers, 'permessage-deflate; client_max_window_bits=9')).toEqual([
      'response-deflate-server-window',
      'response-deflate-client-window',
    ]);
  });
});

describe('checkResponse of a version that is refused', () => {
  const request = requestWith('', [['Sec-WebSocket-Version', '12']]);
  const verdictOf = (lines: string[]): string | undefined =>
    checkLines(lines, request).find(({ id }) => id === 'response-version')?.verdict;

  it('asks for the versions that are spoken', () => {
    expect(verdictOf(['HTTP/1.1 426 Upgrade Required', 'Sec-WebSocket-Version: 13, 8'])).toBe(
      'pass',
    );
    expect(verdictOf(['HTTP/1.1 400 Bad Request', 'Sec-WebSocket-Version: 13'])).toBe('pass');
    expect(verdictOf(['HTTP/1.1 400 Bad Request'])).toBe('fail');
  });

  it('reports a server that speaks a version it does not know', () => {
    expect(verdictOf(LINES)).toBe('fail');
  });

  it('asks the same of any 426', () => {
    const rules = checkLines(['HTTP/1.1 426 Upgrade Required'], REQUEST);
    expect(idsOf(rules, 'fail')).toEqual(['response-status', 'response-version']);
  });
});
