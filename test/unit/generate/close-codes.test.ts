import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FEATURES } from '../../../src/generate/answers.ts';
import {
  CLOSE_CODES,
  serverCloseCodes,
  serverCloseCodeTable,
} from '../../../src/generate/close-codes.ts';
import { CLOSE_CODES as OF_CLIENTS } from '../../../templates/typescript/client/src/close-codes.ts';

describe('the close codes', () => {
  it('of 4000 to 4499 allow a reconnect, those of 4500 to 4999 do not by themselves', () => {
    for (const { code, reconnect } of CLOSE_CODES) {
      if (code >= 4500)
        expect([code, ['no', 'token-once']]).toContainEqual(expect.arrayContaining([reconnect]));
      else if (code >= 4000) expect(reconnect, String(code)).not.toBe('no');
    }
  });

  it('are those of the clients', () => {
    const ours = Object.fromEntries(CLOSE_CODES.map(({ code, reconnect }) => [code, reconnect]));
    expect(OF_CLIENTS).toEqual(ours);
    const python = readFileSync('templates/python/client/src/ws_client/close_codes.py', 'utf8');
    const rows = [...python.matchAll(/^ {4}(\d+): Reconnect\.(\w+),/gm)].map(
      ([, code, reconnect = '']) => [code, reconnect.toLowerCase().replace('_', '-')],
    );
    expect(Object.fromEntries(rows)).toEqual(ours);
  });

  it('of a server are those of its features', () => {
    expect(serverCloseCodes(FEATURES, 'chat')).toMatch(/tokenExpired: \{ code: 4401/);
    expect(serverCloseCodes([], 'chat')).not.toMatch(/44(?:01|29)|45\d\d/);
    expect(serverCloseCodeTable(['auth'], 'chat')).toMatch(/^\| 4502 /m);
    expect(serverCloseCodeTable(['rate-limit'], 'chat')).not.toMatch(/^\| 4502 /m);
    expect(serverCloseCodes([], 'collab')).toMatch(
      /malformed: \{ code: 1007.*\n[^]*forbidden: \{ code: 4503/,
    );
    expect(serverCloseCodeTable(FEATURES, 'chat')).not.toMatch(/^\| 4503 /m);
  });

  it('mean what they do for the type of the server', () => {
    expect(serverCloseCodeTable([], 'chat')).toMatch(/^\| 1003 \| a binary message/m);
    expect(serverCloseCodeTable([], 'collab')).toMatch(/^\| 1003 \| a message of unknown type/m);
  });
});
