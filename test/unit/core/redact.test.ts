import { expect, it } from 'vitest';
import { redact } from '../../../src/core/redact.ts';

it.each([
  ['ws://bob:s3cr3t@host:1/x', 'ws://***@host:1/x'],
  ['wss://s3cr3t@host/', 'wss://***@host/'],
  ['redis://:s3cr3t@host', 'redis://***@host'],
  ['ws://us%zzer:p@s3cr3t@host/', 'ws://***@host/'],
  ['two: ws://a:s3cr3t@x/ and ws://b:s3cr3t@y/', 'two: ws://***@x/ and ws://***@y/'],
  ['ws://host/?a=1&token=s3cr3t&b=2', 'ws://host/?a=1&token=***&b=2'],
  ['ws://host/?access_token=s3cr3t', 'ws://host/?access_token=***'],
  ['ws://host/?sid=s3cr3t&client_secret=s3cr3t', 'ws://host/?sid=***&client_secret=***'],
  ['ws://host/?access%5Ftoken=s3cr3t', 'ws://host/?access%5Ftoken=***'],
  ['X-Auth: s3cr3t', 'X-Auth: ***'],
  ['href="ws://host/?a=1&amp;token=s3cr3t"', 'href="ws://host/?a=1&amp;token=***"'],
  ['"ws://host/?a=1\\u0026api_key=s3cr3t"', '"ws://host/?a=1\\u0026api_key=***"'],
  [
    'GET / HTTP/1.1\r\nAuthorization: Bearer s3cr3t\r\nHost: a',
    'GET / HTTP/1.1\r\nAuthorization: ***\r\nHost: a',
  ],
  ['"Cookie: sid=s3cr3t\\r\\nHost: a"', '"Cookie: ***\\r\\nHost: a"'],
  [
    `--header 'Authorization: Bearer s3cr3t' --url ws://a`,
    `--header 'Authorization: ***' --url ws://a`,
  ],
])('masks the secret of %j', (text, masked) => {
  expect(redact(text)).toBe(masked);
});

it.each([
  'ws://localhost:8080/path?room=1',
  'mail me@example.com',
  'the Authorization header is missing',
  'code=1009',
  'a close code=1006 came',
])('leaves %j as it is', (text) => {
  expect(redact(text)).toBe(text);
});
