import { describe, expect, it } from 'vitest';
import {
  HeadDecoder,
  ProtocolError,
  VIOLATIONS,
  checkRequest,
  checkResponse,
  createRequest,
  violation,
} from '../../../src/protocol/index.ts';
import type { Limits, Violation, ViolationCode } from '../../../src/protocol/index.ts';
import { client, hex, receive, server } from '../../support/protocol.ts';

const NO_TAKEOVER = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const REQUEST = createRequest({ url: 'ws://localhost/', key: KEY });

interface Provocation {
  /** Frames to a server, in hex. */
  readonly toServer?: string;
  /** Frames to a client. */
  readonly toClient?: string;
  readonly limits?: Partial<Limits>;
  readonly deflate?: boolean;
  /** A field of a request, and what to put in its place. */
  readonly request?: readonly [find: string, replace: string];
  /** The same of a response to it. */
  readonly response?: readonly [find: string, replace: string];
  /** The start of an answer. */
  readonly head?: string;
}

/** For each code the bytes that raise it: a code without a row here does not compile. */
const PROVOCATIONS: Record<ViolationCode, Provocation> = {
  WSK_RESERVED_BITS: { toServer: 'c1 80 00 00 00 00' },
  WSK_RESERVED_OPCODE: { toServer: '83 80 00 00 00 00' },
  WSK_UNMASKED_FRAME: { toServer: '81 05 48 65 6c 6c 6f' },
  WSK_MASKED_FRAME: { toClient: '81 85 37 fa 21 3d 7f 9f 4d 51 58' },
  WSK_LENGTH_NOT_MINIMAL: { toClient: '82 7e 00 05 48 65 6c 6c 6f' },
  WSK_LENGTH_OVERFLOW: { toClient: '82 7f 80 00 00 00 00 00 00 00' },
  WSK_CONTROL_FRAGMENTED: { toClient: '09 00' },
  WSK_CONTROL_TOO_LONG: { toClient: '89 7e 00 7e' },
  WSK_CONTROL_COMPRESSED: { toClient: 'c9 00', deflate: true },
  WSK_CONTINUATION_COMPRESSED: { toClient: '41 00 40 00', deflate: true },
  WSK_UNEXPECTED_CONTINUATION: { toClient: '80 00' },
  WSK_EXPECTED_CONTINUATION: { toClient: '01 00 81 00' },
  WSK_INVALID_UTF8: { toClient: '81 02 c3 28' },
  WSK_CLOSE_PAYLOAD: { toClient: '88 01 61' },
  WSK_CLOSE_CODE: { toClient: '88 02 03 ed' },
  WSK_INVALID_DEFLATE: { toClient: 'c1 02 ff ff', deflate: true },
  WSK_MESSAGE_TOO_BIG: { toClient: '82 0b', limits: { messageBytes: 10 } },
  WSK_FRAME_TOO_BIG: { toClient: '82 0b', limits: { frameBytes: 10 } },
  WSK_TOO_MANY_FRAGMENTS: { toClient: '01 00 00 00 00 00', limits: { fragments: 2 } },
  WSK_QUEUE_TOO_BIG: { toClient: '8a 00 8a 00 8a 00', limits: { queuedBytes: 300 } },
  WSK_NOT_HTTP: { head: 'SSH-2.0-OpenSSH_9.2\r\n' },
  WSK_HEAD_TOO_BIG: { head: 'HTTP/1.1 101 x\r\nA: bbbbbbbbbbbb', limits: { headerBytes: 20 } },
  WSK_TOO_MANY_HEADERS: {
    head: 'HTTP/1.1 101 x\r\nA: b\r\nC: d\r\n\r\n',
    limits: { headerCount: 1 },
  },
  WSK_HEAD_SYNTAX: { request: ['Host:', 'X-Sloppy : 1\r\nHost:'] },
  WSK_REQUEST_METHOD: { request: ['GET', 'POST'] },
  WSK_HTTP_VERSION: { request: ['HTTP/1.1', 'HTTP/1.0'] },
  WSK_REQUEST_TARGET: { request: [' / ', ' /#top '] },
  WSK_HOST: { request: ['Host: localhost\r\n', ''] },
  WSK_UPGRADE: { request: ['websocket', 'h2c'] },
  WSK_CONNECTION: { request: ['Connection: Upgrade', 'Connection: keep-alive'] },
  WSK_KEY: { request: [KEY, 'c2hvcnQ='] },
  WSK_ORIGIN: { request: ['Host:', 'Origin: localhost\r\nHost:'] },
  WSK_VERSION: { request: ['Version: 13', 'Version: 8'] },
  WSK_SUBPROTOCOL: { request: ['Host:', 'Sec-WebSocket-Protocol: a,,b\r\nHost:'] },
  WSK_EXTENSIONS: { request: ['Host:', 'Sec-WebSocket-Extensions: a;\r\nHost:'] },
  WSK_DEFLATE_PARAMETERS: {
    request: ['Host:', 'Sec-WebSocket-Extensions: permessage-deflate; x\r\nHost:'],
  },
  WSK_RESPONSE_STATUS: { response: ['101', '200'] },
  WSK_ACCEPT: { response: ['s3pP', 'S3pP'] },
};

const RESPONSE = [
  'HTTP/1.1 101 Switching Protocols',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  '\r\n',
].join('\r\n');

function provoke({
  toServer,
  toClient,
  request,
  response,
  head,
  ...rest
}: Provocation): Violation[] {
  const limits = rest.limits ?? {};
  const deflate = rest.deflate === true ? NO_TAKEOVER : undefined;
  if (head !== undefined) {
    const decoder = new HeadDecoder('response', limits);
    decoder.receive(Buffer.from(head));
    return decoder.violation === undefined ? [] : [decoder.violation];
  }
  if (request !== undefined) {
    const decoder = new HeadDecoder('request');
    decoder.receive(Buffer.from(REQUEST.bytes.toString().replace(...request)));
    const sent = decoder.head();
    const rules = sent === undefined ? [] : checkRequest(sent);
    return rules.flatMap((rule) => rule.violation ?? []);
  }
  if (response !== undefined) {
    const decoder = new HeadDecoder('response');
    decoder.receive(Buffer.from(RESPONSE.replace(...response)));
    const sent = decoder.head();
    const rules = sent === undefined ? [] : checkResponse(sent, REQUEST.head);
    return rules.flatMap((rule) => rule.violation ?? []);
  }
  const connection =
    toServer === undefined ? client({ limits, deflate }) : server({ limits, deflate });
  receive(connection, hex(toServer ?? toClient ?? ''));
  return connection.violation === undefined ? [] : [connection.violation];
}

describe('VIOLATIONS', () => {
  it.each(Object.entries(PROVOCATIONS))('raises %s and nothing else', (code, provocation) => {
    const raised = provoke(provocation);
    expect(raised.map((breach) => breach.code)).toEqual([code]);
    const row = VIOLATIONS[code as ViolationCode];
    expect(raised[0]?.closeCode).toBe(row.closeCode);
    expect(raised[0]?.message).toMatch(/^\S.*[^.]$/);
  });

  it('names a section of an RFC in every row', () => {
    for (const row of Object.values(VIOLATIONS))
      expect(row.rfc).toMatch(/^(?:6455|7692)#\d+(?:\.\d+)*$/);
  });
});

describe('violation', () => {
  it('words a violation with what was seen and what is allowed', () => {
    expect(violation('WSK_MESSAGE_TOO_BIG', { length: 11, limit: 10 })).toEqual({
      code: 'WSK_MESSAGE_TOO_BIG',
      closeCode: 1009,
      rfc: '6455#10.4',
      message: 'message has 11 bytes or more, limit is 10',
      data: { length: 11, limit: 10 },
    });
  });
});

describe('ProtocolError', () => {
  it('carries a violation and says code and section', () => {
    const error = new ProtocolError(violation('WSK_CLOSE_CODE', { code: 1005 }));
    expect(error.message).toBe('close code 1005 may not be sent (WSK_CLOSE_CODE, RFC 6455#7.4)');
    expect(error.violation.data).toEqual({ code: 1005 });
  });
});
