import { expect, it } from 'vitest';
import {
  DurationOrNoneMs,
  formatDuration,
  HeaderLine,
  WebSocketUrl,
} from '../../../src/core/fields.ts';

it.each([
  [0, '0'],
  [250, '250ms'],
  [5000, '5s'],
  [90_000, '90s'],
  [120_000, '2m'],
  [3_600_000, '1h'],
  [1.5, '1.5ms'],
])('writes %d ms as %s, which is read as the same', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
  expect(DurationOrNoneMs.parse(text)).toBe(ms);
});

it.each([
  ['localhost:8080', 'ws://localhost:8080'],
  ['http://localhost:8080/chat', 'ws://localhost:8080/chat'],
  ['HTTPS://x.example?a=b', 'wss://x.example?a=b'],
  ['example.com/chat', 'ws://example.com/chat'],
  ['127.0.0.1', 'ws://127.0.0.1'],
  ['[::1]:8080/', 'ws://[::1]:8080/'],
  [':8080', 'ws://localhost:8080'],
  ['8080/chat', 'ws://localhost:8080/chat'],
  ['//host/a', 'ws://host/a'],
  ['ws://host/#top', 'ws://host/'],
])('refuses %s as a URL and asks whether %s is meant', (text, meant) => {
  const { error } = WebSocketUrl.safeParse(text);
  expect(error?.issues[0]?.message).toBe(
    `expected a ws:// or wss:// URL without a fragment; did you mean ${meant}?`,
  );
});

it('says of a URL that its port is too large', () => {
  const { error } = WebSocketUrl.safeParse('ws://host:99999/chat');
  expect(error?.issues[0]?.message).toBe('expected a port from 1 to 65535');
});

it.each(['', 'ws://', 'ftp://x', 'javascript:alert(1)', 'a b', '99999', '%'])(
  'refuses "%s" as a URL without a guess',
  (text) => {
    const { error } = WebSocketUrl.safeParse(text);
    expect(error?.issues[0]?.message).toBe('expected a ws:// or wss:// URL without a fragment');
  },
);

it.each([
  ['Sec-WebSocket-Protocol: a', '--subprotocol'],
  ['sec-websocket-extensions:', '--compression'],
  ['SEC-WEBSOCKET-KEY : x', 'validate-handshake'],
  ['Sec-WebSocket-Version: 12', 'validate-handshake'],
  ['Sec-WebSocket-Accept: x', 'response'],
  ['upgrade: h2c', 'validate-handshake'],
  ['CONNECTION: close', 'validate-handshake'],
])('refuses %j as an extra header, and names what to use: %s', (line, instead) => {
  const { error } = HeaderLine.safeParse(line);
  const name = line.split(':')[0]?.trim() ?? '';
  expect(error?.issues[0]?.message).toMatch(
    new RegExp(`^${name} is a field of the opening handshake itself: .*${instead}`),
  );
});

it.each(['Host: a', 'Origin: b', 'X-Upgrade: c', 'Sec-WebSocket-Protocols: d'])(
  'takes %j as an extra header',
  (line) => {
    expect(HeaderLine.parse(line)).toBe(line);
  },
);
