import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { failedIds, runValidateHandshake } from '../../../support/endpoint.ts';
import { operationContext } from '../../../support/operation-context.ts';
import { REQUEST, RESPONSE } from '../../../support/rfc-handshake.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

function capture(lines: readonly string[], { lineBreak = '\r\n', end = '\r\n\r\n' } = {}): string {
  const file = path.join(temporaryFolder(), 'head.txt');
  writeFileSync(file, lines.join(lineBreak) + end);
  return file;
}

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

describe('validate-handshake of captured heads', () => {
  it('passes the example of RFC 6455 section 1.2', async () => {
    const input = { request: capture(REQUEST), response: capture(RESPONSE) };
    const report = await runValidateHandshake(input);
    expect(failedIds(report.rules)).toEqual([]);
    expect(report).toMatchObject({
      operation: 'validate-handshake',
      target: `${input.request}, ${input.response}`,
      status: 'passed',
      success: true,
    });
    expect(report.rules.find((row) => row.id === 'response-accept')).toEqual({
      id: 'response-accept',
      rfc: '6455#4.1',
      rule: 'Sec-WebSocket-Accept is the base64 of the SHA-1 of the key and the fixed GUID.',
      verdict: 'pass',
      seen: '"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="',
      expected: '"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="',
    });
  });

  it('judges a request alone', async () => {
    const report = await runValidateHandshake({
      request: capture(REQUEST.filter((line) => !line.startsWith('Host'))),
    });
    expect(failedIds(report.rules)).toEqual(['request-host']);
    expect(report.rules.some((row) => row.id.startsWith('response-'))).toBe(false);
  });

  it('skips the accept value of a response without its request, and says why', async () => {
    const report = await runValidateHandshake({ response: capture(RESPONSE) });
    expect(failedIds(report.rules)).toEqual([]);
    expect(report.rules.find((row) => row.id === 'response-accept')).toMatchObject({
      verdict: 'skip',
      seen: 'the key is not known',
    });
  });

  it('judges the accept value by --key', async () => {
    const response = capture(RESPONSE);
    const right = await runValidateHandshake({ response, key: KEY });
    expect(right.rules.find((row) => row.id === 'response-accept')?.verdict).toBe('pass');
    const wrong = await runValidateHandshake({ response, key: 'AAAAAAAAAAAAAAAAAAAAAA==' });
    // What was offered is still unknown, so that the subprotocol is not held against it.
    expect(failedIds(wrong.rules)).toEqual(['response-accept']);
  });

  it('takes a file with bare line feeds and without the empty line, as editors leave it', async () => {
    const request = capture(REQUEST, { lineBreak: '\n', end: '' });
    const report = await runValidateHandshake({ request });
    expect(failedIds(report.rules)).toEqual([]);
    // Where other lines end with CRLF, no editor did it.
    const mixed = capture([`${REQUEST[0]}\r`, ...REQUEST.slice(1)], { lineBreak: '\n' });
    const { rules } = await runValidateHandshake({ request: mixed });
    expect(failedIds(rules)).toEqual(['request-fields']);
    expect(rules.find((row) => row.id === 'request-fields')?.seen).toMatch(/LF/);
  });

  it('is a usage error for a file that holds no head', async () => {
    await expect(runValidateHandshake({ request: capture(['hello there']) })).rejects.toMatchObject(
      { name: 'UsageError', code: 'WSK_ERR_INVALID_INPUT' },
    );
  });

  it('is a usage error for a file that is not there', async () => {
    const context = operationContext({ cwd: temporaryFolder() });
    await expect(runValidateHandshake({ response: 'no-such.txt' }, context)).rejects.toMatchObject({
      code: 'WSK_ERR_FILE_NOT_READABLE',
      message: '--response is "no-such.txt", which cannot be read (ENOENT)',
    });
  });
});
