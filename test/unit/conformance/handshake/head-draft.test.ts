import { expect, it } from 'vitest';
import {
  asRequest,
  editHead,
  encodeHead,
} from '../../../../src/conformance/handshake/head-draft.ts';

const DRAFT = {
  start: 'GET /chat HTTP/1.1',
  fields: [
    { name: 'Host', value: 'example.com' },
    { name: 'Sec-WebSocket-Key', value: 'KEY' },
  ],
};

const PLACEHOLDERS = { path: '/chat', host: 'example.com', key: 'KEY', accept: 'AcCePt' };

function edited(...edits: Parameters<typeof editHead>[1]): string {
  return encodeHead(editHead(DRAFT, edits, PLACEHOLDERS)).toString();
}

it('writes a head as HTTP wants it', () => {
  expect(encodeHead(DRAFT).toString()).toBe(
    'GET /chat HTTP/1.1\r\nHost: example.com\r\nSec-WebSocket-Key: KEY\r\n\r\n',
  );
});

it('makes its edits one after the other', () => {
  expect(
    edited(
      { edit: 'start', line: 'POST {path} HTTP/1.1' },
      { edit: 'drop', name: 'host' },
      { edit: 'set', name: 'sec-websocket-key', value: 'other' },
      { edit: 'set', name: 'X-New', value: 'new' },
      { edit: 'add', name: 'X-New', value: '{host}' },
    ),
  ).toBe(
    'POST /chat HTTP/1.1\r\nsec-websocket-key: other\r\nX-New: new\r\nX-New: example.com\r\n\r\n',
  );
});

it('writes lines that are no fields as they are', () => {
  expect(edited({ edit: 'line', line: ' folded {key} {accept in lower case}' })).toContain(
    '\r\n folded KEY accept\r\n\r\n',
  );
});

it('changes letters and order of all fields', () => {
  expect(edited({ edit: 'letters', to: 'upper' }, { edit: 'reverse' })).toBe(
    'GET /chat HTTP/1.1\r\nSEC-WEBSOCKET-KEY: KEY\r\nHOST: example.com\r\n\r\n',
  );
});

it('reads a draft as the request that responses are held against', () => {
  const draft = editHead(DRAFT, [{ edit: 'line', line: ' folded' }], PLACEHOLDERS);
  expect(asRequest(draft)).toMatchObject({
    method: 'GET',
    target: '/chat',
    version: 'HTTP/1.1',
    fields: DRAFT.fields,
  });
});
