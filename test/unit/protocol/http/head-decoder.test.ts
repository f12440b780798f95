import { describe, expect, it } from 'vitest';
import { HeadDecoder } from '../../../../src/protocol/http/head-decoder.ts';
import type { RequestHead, ResponseHead } from '../../../../src/protocol/index.ts';

function request(text: string): RequestHead | undefined {
  const decoder = new HeadDecoder('request');
  decoder.receive(Buffer.from(text, 'latin1'));
  return decoder.head();
}

function response(text: string): ResponseHead | undefined {
  const decoder = new HeadDecoder('response');
  decoder.receive(Buffer.from(text, 'latin1'));
  return decoder.head();
}

describe('HeadDecoder', () => {
  it('reads a request', () => {
    expect(
      request('GET /chat?x=1 HTTP/1.1\r\nHost:  example.com \r\nX-A: 1\r\nx-a:\r\n\r\n'),
    ).toEqual({
      kind: 'request',
      method: 'GET',
      target: '/chat?x=1',
      version: 'HTTP/1.1',
      fields: [
        { name: 'Host', value: 'example.com' },
        { name: 'X-A', value: '1' },
        { name: 'x-a', value: '' },
      ],
      flaws: [],
    });
  });

  it('reads a response, with or without a reason', () => {
    expect(response('HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n')).toMatchObject({
      status: 101,
      reason: 'Switching Protocols',
      fields: [{ name: 'A', value: 'b' }],
    });
    expect(response('HTTP/1.1 101 \r\n\r\n')).toMatchObject({ status: 101, reason: '', flaws: [] });
    expect(response('HTTP/1.1 101\r\n\r\n')).toMatchObject({ status: 101, reason: '' });
  });

  it('passes over interim responses, in any pieces', () => {
    const text =
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' +
      'HTTP/1.1 401 Unauthorized\r\nA: b\r\n\r\nrest';
    for (let cut = 0; cut <= text.length; cut++) {
      const decoder = new HeadDecoder('response');
      decoder.receive(Buffer.from(text.slice(0, cut), 'latin1'));
      decoder.receive(Buffer.from(text.slice(cut), 'latin1'));
      expect(decoder.head(), `cut at ${cut}`).toMatchObject({
        status: 401,
        fields: [{ name: 'A', value: 'b' }],
      });
      expect(decoder.rest().toString('latin1'), `cut at ${cut}`).toBe('rest');
    }
  });

  it('refuses interim responses without end', () => {
    const decoder = new HeadDecoder('response');
    for (let count = 0; count < 10_000 && decoder.violation === undefined; count += 1) {
      decoder.receive(Buffer.from('HTTP/1.1 102 Processing\r\n\r\n'));
    }
    expect(decoder.violation?.code).toBe('WSK_HEAD_TOO_BIG');
    expect(decoder.violation?.message).toMatch(/1638\d|1639\d|1640\d/);
    expect(decoder.violation?.message).toMatch(/1xx responses included, expected at most 16384/);
  });

  it('reads the same head from any pieces, and keeps what comes behind it', () => {
    const text = 'HTTP/1.1 101 x\r\nA: b\r\n\r\n\x81\x01a';
    for (let cut = 0; cut <= text.length; cut++) {
      const decoder = new HeadDecoder('response');
      decoder.receive(Buffer.from(text.slice(0, cut), 'latin1'));
      decoder.receive(Buffer.from(text.slice(cut), 'latin1'));
      expect(decoder.head(), `cut at ${cut}`).toMatchObject({ status: 101, flaws: [] });
      expect(decoder.rest().toString('latin1'), `cut at ${cut}`).toBe('\x81\x01a');
    }
    const decoder = new HeadDecoder('response');
    for (const character of text.slice(0, -3)) {
      expect(decoder.head()).toBeUndefined();
      expect(decoder.rest()).toHaveLength(0);
      decoder.receive(Buffer.from(character, 'latin1'));
    }
    expect(decoder.head()?.fields).toEqual([{ name: 'A', value: 'b' }]);
  });

  it.each([
    ['GET / HTTP/1.1\nHost: a\r\n\r\n', 'line 1 ends with LF in place of CRLF'],
    ['GET / HTTP/1.1\r\nHost : a\r\n\r\n', '"Host : a" is not a header field'],
    ['GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n', '" folded" is not a header field'],
    ['GET / HTTP/1.1\r\nHost\r\n\r\n', '"Host" is not a header field'],
    ['GET / HTTP/1.1\r\n: a\r\n\r\n', '": a" is not a header field'],
    ['GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n', 'Host has a control character in its value'],
    ['GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n', 'Host has a control character in its value'],
  ])('reads on in spite of a flaw: %j', (text, flaw) => {
    expect(request(text)?.flaws).toEqual([flaw]);
  });

  it('ends a head at an empty line that ends with LF', () => {
    expect(request('GET / HTTP/1.1\nHost: a\n\n')?.fields).toEqual([{ name: 'Host', value: 'a' }]);
  });

  it.each([
    ['request', '\x16\x03\x01\x02'],
    ['request', 'GET /\r\n\r\n'],
    ['request', 'GET / FTP/1.1\r\n\r\n'],
    ['request', 'GET  / HTTP/1.1\r\n\r\n'],
    ['response', 'SSH-2.0'],
    ['response', 'HTTX'],
    ['response', '<html>'],
    ['response', 'HTTP/1.1 OK\r\n\r\n'],
    ['response', 'HTTP/1.1 1010 x\r\n\r\n'],
  ] as const)('tells early that a %s is none: %j', (kind, text) => {
    const decoder = new HeadDecoder(kind);
    decoder.receive(Buffer.from(text, 'latin1'));
    expect(decoder.violation).toMatchObject({ code: 'WSK_NOT_HTTP' });
    expect(decoder.head()).toBeUndefined();
  });

  it('takes a head of exactly the limits and nothing larger', () => {
    const text = 'HTTP/1.1 101 x\r\nA: b\r\nC: d\r\n\r\n';
    const outcome = (headerBytes: number, headerCount: number): string | undefined => {
      const decoder = new HeadDecoder('response', { headerBytes, headerCount });
      decoder.receive(Buffer.from(`${text}rest`));
      return decoder.violation?.code ?? decoder.head()?.reason;
    };
    expect(outcome(text.length, 2)).toBe('x');
    expect(outcome(text.length - 1, 2)).toBe('WSK_HEAD_TOO_BIG');
    expect(outcome(text.length, 1)).toBe('WSK_TOO_MANY_HEADERS');
  });

  it('holds no more than the limit of a head that never ends', () => {
    const decoder = new HeadDecoder('response');
    decoder.receive(Buffer.from('HTTP/1.1 101 x\r\n'));
    for (let i = 0; i < 10_000; i++) decoder.receive(Buffer.from('A: b\r\n'));
    expect(decoder.violation).toMatchObject({
      code: 'WSK_HEAD_TOO_BIG',
      data: { expected: 'at most 16384' },
    });
  });
});
