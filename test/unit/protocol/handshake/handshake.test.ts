import { describe, expect, it } from 'vitest';
import {
  createRejection,
  createRequest,
  createResponse,
  rejectionStatus,
} from '../../../../src/protocol/handshake/handshake.ts';
import {
  HeadDecoder,
  checkRequest,
  fieldValue,
  violation,
} from '../../../../src/protocol/index.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

describe('createRequest', () => {
  it('writes the handshake of RFC 6455 section 1.2', () => {
    const { bytes } = createRequest({
      url: 'ws://server.example.com/chat',
      key: KEY,
      protocols: ['chat', 'superchat'],
      extensions: 'permessage-deflate',
      headers: [['Origin', 'http://example.com']],
    });
    expect(bytes.toString()).toBe(
      [
        'GET /chat HTTP/1.1',
        'Host: server.example.com',
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Key: ${KEY}`,
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Protocol: chat, superchat',
        'Sec-WebSocket-Extensions: permessage-deflate',
        'Origin: http://example.com',
        '\r\n',
      ].join('\r\n'),
    );
  });

  it('returns the head that its bytes decode to, and that breaks no rule', () => {
    const { bytes, head } = createRequest({ url: 'wss://localhost:8443?a=[1]', key: KEY });
    const decoder = new HeadDecoder('request');
    decoder.receive(bytes);
    expect(decoder.head()).toEqual(head);
    expect(head).toMatchObject({
      target: '/?a=[1]',
      fields: [{ value: 'localhost:8443' }, {}, {}, {}, {}],
    });
    expect(checkRequest(head).filter((rule) => rule.verdict === 'fail')).toEqual([]);
  });

  it('leaves the default port out of Host', () => {
    const host = (url: string): string | undefined =>
      createRequest({ url, key: KEY }).head.fields[0]?.value;
    expect(host('ws://a:80/')).toBe('a');
    expect(host('wss://a:443/')).toBe('a');
    expect(host('ws://a:443/')).toBe('a:443');
    expect(host('ws://[::1]:80/')).toBe('[::1]');
  });

  it('sends the credentials of a URL', () => {
    const { head } = createRequest({ url: 'ws://us%40er:p%3Aw@localhost/', key: KEY });
    const credentials = Buffer.from('us@er:p:w').toString('base64');
    expect(head.fields).toContainEqual({ name: 'Authorization', value: `Basic ${credentials}` });
  });

  it('lets a given field take the place of its own', () => {
    const { head } = createRequest({
      url: 'ws://localhost/',
      key: KEY,
      headers: [['sec-websocket-version', '12']],
    });
    const versions = head.fields.filter(({ name }) => /version/i.test(name));
    expect(versions).toEqual([{ name: 'sec-websocket-version', value: '12' }]);
  });

  it.each([
    ['a fragment', { url: 'ws://localhost/#top' }],
    ['an empty fragment', { url: 'ws://localhost/#' }],
    ['another scheme', { url: 'ftp://localhost/' }],
    ['no URL', { url: 'localhost' }],
    ['a subprotocol that is no token', { protocols: ['a b'] }],
    ['a subprotocol twice', { protocols: ['a', 'a'] }],
    ['a line break in a header', { headers: [['X', 'a\r\nY: b']] as const }],
    ['a header name that is no token', { headers: [['X:', 'a']] as const }],
  ])('throws for %s', (_what, init) => {
    expect(() => createRequest({ url: 'ws://localhost/', key: KEY, ...init })).toThrow(TypeError);
  });
});

describe('createResponse', () => {
  it('accepts the key of the request', () => {
    const request = createRequest({ url: 'ws://localhost/', key: KEY }).head;
    const response = createResponse({
      request,
      protocol: 'chat',
      extensions: 'permessage-deflate',
    });
    expect(response.toString()).toBe(
      [
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
        'Sec-WebSocket-Protocol: chat',
        'Sec-WebSocket-Extensions: permessage-deflate',
        '\r\n',
      ].join('\r\n'),
    );
    expect(createResponse({ request, protocol: null, extensions: '' }).toString()).not.toContain(
      'Protocol:',
    );
  });
});

describe('createRejection', () => {
  it('names the version it speaks when it refuses another', () => {
    expect(createRejection({ status: 426 }).toString()).toBe(
      [
        'HTTP/1.1 426 Upgrade Required',
        'Connection: close',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Length: 17',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        '',
        'Upgrade Required\n',
      ].join('\r\n'),
    );
  });

  it('counts the bytes of its body and takes more fields', () => {
    const text = createRejection({ status: 405, body: 'é', headers: [['X', '1']] }).toString();
    expect(text).toContain('Content-Length: 3\r\n');
    expect(text).toContain('Allow: GET\r\n');
    expect(text).toContain('X: 1\r\n');
  });
});

describe('rejectionStatus', () => {
  it('fits the rule that was broken', () => {
    const data = { seen: 'a', expected: 'b' };
    expect(rejectionStatus(violation('WSK_VERSION', data))).toBe(426);
    expect(rejectionStatus(violation('WSK_REQUEST_METHOD', data))).toBe(405);
    expect(rejectionStatus(violation('WSK_HEAD_TOO_BIG', data))).toBe(431);
    expect(rejectionStatus(violation('WSK_KEY', data))).toBe(400);
  });
});

it.each([
  ['bob:pass', 'bob:pass'],
  ['us%zzer:p%25w', 'us%zzer:p%w'],
  ['%e2%82%ac:x', '\u20ac:x'],
])('sends user and password %j of a URL as Basic credentials', (userInfo, pair) => {
  const { head } = createRequest({ url: `ws://${userInfo}@localhost/`, key: KEY });
  const credentials = fieldValue(head, 'authorization')?.replace('Basic ', '') ?? '';
  expect(Buffer.from(credentials, 'base64').toString()).toBe(pair);
});
