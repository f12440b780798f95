import { describe, expect, it } from 'vitest';
import { TestInput } from '../../../../src/operations/test/schema.ts';
import { ValidateHandshakeInput } from '../../../../src/operations/validate-handshake/schema.ts';

const url = 'ws://localhost:8080';

describe('input of test', () => {
  it('fills in defaults', () => {
    expect(TestInput.parse({ url })).toEqual({
      url,
      role: 'server',
      alsoUrls: [],
      headers: [],
      subprotocols: [],
      messages: 100,
      timeoutMs: 5000,
      compression: false,
      insecure: false,
      strict: false,
      ownTests: false,
    });
  });

  it.each([
    [{}, 'expected either --url or --project, not both'],
    [{ url, project: 'chat' }, 'expected either --url or --project, not both'],
    [{ url, alsoUrls: [url] }, 'expected only with --url and --contract'],
    [{ url: 'http://localhost' }, 'expected a ws:// or wss:// URL'],
    [{ url, messages: 0 }, '>=1'],
    [{ url, maxPayload: -1 }, '>=1'],
    [{ url, expectStatus: 99 }, '>=100'],
    [{ url, headers: ['no colon'] }, 'expected "Name: value"'],
    [{ url, headers: ['X-Price: 5 €'] }, 'expected characters of ISO 8859-1 only'],
    [{ url, subprotocols: ['a', 'b', 'a'] }, 'expected each name once'],
    [{ url, subprotocols: ['a,b'] }, 'expected a token'],
  ])('refuses %o', (input, message) => {
    expect(TestInput.safeParse(input).error?.issues[0]?.message).toContain(message);
  });
});

describe('input of validate-handshake', () => {
  it.each([
    [{ url }],
    [{ project: 'chat' }],
    [{ request: 'a' }],
    [{ response: 'b', key: 'c' }],
    [{ request: 'a', response: 'b' }],
  ])('takes %o', (input) => {
    expect(ValidateHandshakeInput.safeParse(input).success).toBe(true);
  });

  it.each([[{}], [{ url, request: 'a' }], [{ url, project: 'chat' }]])('refuses %o', (input) => {
    expect(ValidateHandshakeInput.safeParse(input).error?.issues[0]?.message).toBe(
      'expected a url, a project, or files with a request or a response',
    );
  });
});
