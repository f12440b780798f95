import { describe, expect, it } from 'vitest';
import {
  answerOffers,
  readAgreement,
  offerDeflate,
  wishesOf,
} from '../../../../src/conformance/autobahn/negotiate.ts';
import { HeadDecoder } from '../../../../src/protocol/index.ts';
import type { RequestHead, ResponseHead } from '../../../../src/protocol/index.ts';
import { caseOf } from '../../../support/case-play.ts';

/** The key of RFC 6455 section 1.3, and what it is answered with. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const FIELDS = {
  Upgrade: 'WebSocket',
  Connection: 'keep-alive, Upgrade',
  'Sec-WebSocket-Accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
};

function response(fields: Record<string, string> = {}, line = 'HTTP/1.1 101 Ok'): ResponseHead {
  const decoder = new HeadDecoder('response');
  const lines = Object.entries({ ...FIELDS, ...fields }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  decoder.receive(Buffer.from([line, ...lines, '', ''].join('\r\n')));
  const head = decoder.head();
  if (head === undefined) throw new Error('no head');
  return head;
}

function judged(head: ResponseHead, offers = false, protocols: string[] = []) {
  return readAgreement(head, { key: KEY, offers, protocols });
}

describe('a response', () => {
  it('is all right with the three fields that have to be there', () => {
    expect(judged(response())).toEqual({ ok: true, deflate: undefined });
  });

  it.each([
    [response({}, 'HTTP/1.0 101 Ok')],
    [response({}, 'HTTP/1.1 200 Ok')],
    [response({ Upgrade: 'websocket, h2c' })],
    [response({ Connection: 'close' })],
    [response({ 'Sec-WebSocket-Accept': 'AAAApPLMBiTxaQ9kYGzzhZRbK+xOo=' })],
    [response({ 'Sec-WebSocket-Extensions': 'permessage-deflate' })],
    [response({ 'Sec-WebSocket-Protocol': 'chat' })],
  ])('is refused otherwise', (head) => {
    expect(judged(head).ok).toBe(false);
  });

  it('may take any legal parameters for permessage-deflate, asked for or not', () => {
    const head = response({
      'Sec-WebSocket-Extensions':
        'permessage-deflate; server_no_context_takeover; client_max_window_bits=10',
    });
    expect(judged(head, true)).toEqual({
      ok: true,
      deflate: {
        serverNoContextTakeover: true,
        clientNoContextTakeover: false,
        serverMaxWindowBits: 15,
        clientMaxWindowBits: 10,
      },
    });
    const illegal = response({
      'Sec-WebSocket-Extensions': 'permessage-deflate; server_max_window_bits=7',
    });
    expect(judged(illegal, true).ok).toBe(false);
  });

  it('may choose a subprotocol that was offered', () => {
    expect(judged(response({ 'Sec-WebSocket-Protocol': 'chat' }), false, ['chat']).ok).toBe(true);
  });
});

describe('the offers of a tester that dials', () => {
  it('are none outside of sections 12 and 13', () => {
    expect(offerDeflate(wishesOf(caseOf('1.1.1')))).toBe('');
  });

  it('hold its own restraint, and what it asks of the server', () => {
    const own = 'client_no_context_takeover; client_max_window_bits';
    expect(offerDeflate(wishesOf(caseOf('12.1.1')))).toBe(`permessage-deflate; ${own}`);
    expect(offerDeflate(wishesOf(caseOf('13.7.1')))).toBe(
      [
        'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits',
        'permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits',
        `permessage-deflate; ${own}`,
      ].join(', '),
    );
  });
});

function request(extensions: string): RequestHead {
  const decoder = new HeadDecoder('request');
  decoder.receive(Buffer.from(`GET / HTTP/1.1\r\nSec-WebSocket-Extensions: ${extensions}\r\n\r\n`));
  const head = decoder.head();
  if (head === undefined) throw new Error('no head');
  return head;
}

describe('the answer of a tester that listens', () => {
  const answer = (id: string, offers: string) =>
    answerOffers(request(offers), wishesOf(caseOf(id)));

  it('declines every offer outside of sections 12 and 13', () => {
    expect(answer('1.1.1', 'permessage-deflate')).toMatchObject({ ok: true, extensions: '' });
  });

  it('asks of the client what the case wants, and mirrors what the client asked for', () => {
    expect(
      answer('13.5.1', 'permessage-deflate; client_max_window_bits; server_max_window_bits=10'),
    ).toMatchObject({
      extensions:
        'permessage-deflate; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9',
      deflate: { clientMaxWindowBits: 9, serverMaxWindowBits: 10, clientNoContextTakeover: true },
    });
  });

  it('declines when a window cannot be asked for, and falls back in 13.7', () => {
    expect(answer('13.3.1', 'permessage-deflate')).toMatchObject({ extensions: '' });
    expect(answer('13.7.1', 'permessage-deflate')).toMatchObject({
      extensions: 'permessage-deflate; client_no_context_takeover',
    });
  });

  it('refuses illegal offers', () => {
    expect(answer('12.1.1', 'permessage-deflate; server_max_window_bits=99').ok).toBe(false);
    expect(answer('12.1.1', '=').ok).toBe(false);
  });
});
