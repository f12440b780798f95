import { expect, it } from 'vitest';
import {
  hostAndPort,
  hostOf,
  listenerUrl,
  portOf,
  serverNameOf,
} from '../../../src/transport/address.ts';

it.each([
  ['ws://localhost:8080/chat?token=x', 'localhost', 8080, 'localhost:8080'],
  ['ws://example.com/', 'example.com', 80, 'example.com:80'],
  ['wss://Example.com/', 'example.com', 443, 'example.com:443'],
  ['ws://[::1]:9000/', '::1', 9000, '[::1]:9000'],
])('names host and port of %s', (text, host, port, both) => {
  const url = new URL(text);
  expect(hostOf(url)).toBe(host);
  expect(portOf(url)).toBe(port);
  expect(hostAndPort(url)).toBe(both);
});

it('has no TLS server name for a literal address', () => {
  expect(serverNameOf(new URL('wss://example.com'))).toEqual({ servername: 'example.com' });
  expect(serverNameOf(new URL('wss://127.0.0.1'))).toEqual({});
  expect(serverNameOf(new URL('wss://[::1]'))).toEqual({});
});

it('puts an IPv6 address of a listener into brackets', () => {
  expect(listenerUrl('::1', 80)).toBe('ws://[::1]:80');
  expect(listenerUrl('127.0.0.1', 80)).toBe('ws://127.0.0.1:80');
});
