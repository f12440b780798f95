import { describe, expect, it } from 'vitest';
import { EnvironmentError } from '../../../../src/core/errors.ts';
import type { Fault } from '../../../support/peers/faults.ts';
import { startFaultyServer } from '../../../support/peers/faulty-server.ts';
import { createCertificate } from '../../../support/certificates.ts';
import { startHttp, startWs, startWss } from '../../../support/peers/servers.ts';
import { runTest, runValidateHandshake } from '../../../support/endpoint.ts';
import { freePort } from '../../../../src/target/project/redis.ts';
import { program, requirement } from '../../../support/requirement.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

/** The error that an endpoint leads to; the same from both operations. */
async function errorOf(
  url: string,
  input: Record<string, unknown> = {},
): Promise<EnvironmentError> {
  const outcomes = await Promise.all(
    [runTest, runValidateHandshake].map((run) =>
      run({ url, timeoutMs: 1500, ...input }).catch((error: unknown) => error),
    ),
  );
  const [error, other] = outcomes;
  if (!(error instanceof EnvironmentError) || !(other instanceof EnvironmentError)) {
    throw new Error(`expected two errors, got ${JSON.stringify(outcomes)}`);
  }
  expect(other.code).toBe(error.code);
  expect(error.cause).toBeInstanceOf(Error);
  return error;
}

describe('an endpoint that is no WebSocket', () => {
  it('refuses the connection', async () => {
    const error = await errorOf(`ws://127.0.0.1:${await freePort()}/`);
    expect(error.code).toBe('WSK_ERR_REFUSED');
    expect(error.message).toMatch(/^127\.0\.0\.1:\d+ refused the connection \(ECONNREFUSED\)$/);
    expect(error.hint).toMatch(/is the server running/);
  });

  it('has a host name that does not resolve', async () => {
    const error = await errorOf('ws://no-such-host.invalid/');
    expect(error.code).toBe('WSK_ERR_DNS');
    expect(error.message).toMatch(/^host name no-such-host\.invalid does not resolve \(E/);
    expect(error.hint).toMatch(/spelling/);
  });

  const silent: readonly (readonly [fault: Fault, code: string, message: RegExp, hint: RegExp])[] =
    [
      ['never-answer', 'WSK_ERR_TIMEOUT', /within 1500 ms, it sent nothing/, /--timeout/],
      ['drip-head', 'WSK_ERR_TIMEOUT', /it sent only "HTTP/, /--timeout/],
      ['endless-head', 'WSK_ERR_HEAD_TOO_BIG', /head that is too large.*16384/, /cookies/],
      ['drop-on-accept', 'WSK_ERR_CONNECTION_LOST', /it sent nothing/, /wss:\/\//],
      ['answer-tls-alert', 'WSK_ERR_NOT_HTTP', /0x15030100020246/, /wss:\/\//],
      ['answer-garbage', 'WSK_ERR_NOT_HTTP', /0x01025353482d/, /another service/],
    ];
  it.each(silent)('%s', async (fault, code, message, hint) => {
    await using server = await startFaultyServer({ faults: [fault] });
    const error = await errorOf(server.url);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });

  const statuses: readonly (readonly [
    status: number,
    headers: Record<string, string>,
    body: string,
    message: RegExp,
    hint: RegExp,
  ])[] = [
    [
      200,
      { 'content-type': 'text/html' },
      '<h1>home',
      /HTTP 200 OK.*content-type: text\/html; body starts "<h1>home"/,
      /served as plain HTTP/,
    ],
    [
      301,
      { location: 'https://elsewhere.example/' },
      '',
      /HTTP 301 .*location: https:/,
      /try wss:\/\/elsewhere\.example\//,
    ],
    [
      302,
      { location: '/chat?room=a#top' },
      '',
      /HTTP 302/,
      /try ws:\/\/127\.0\.0\.1:\d+\/chat\?room=a$/,
    ],
    [308, { location: 'http://[' }, '', /HTTP 308/, /try the address in Location/],
    [400, {}, 'unknown subprotocol, know: v1', /HTTP 400 Bad Request.*know: v1/, /--subprotocol/],
    [400, {}, 'The plain HTTP request was sent to HTTPS port', /HTTP 400/, /wss:\/\//],
    [400, {}, '', /HTTP 400 Bad Request/, /rejects the request/],
    [
      401,
      { 'www-authenticate': 'Bearer' },
      'no',
      /HTTP 401 Unauthorized.*www-authenticate: Bearer/,
      /--header "Authorization:/,
    ],
    [403, {}, '', /HTTP 403/, /--header "Origin:/],
    [404, {}, 'nothing here', /HTTP 404 Not Found.*body starts "nothing here"/, /path/],
    [426, { 'sec-websocket-version': '8' }, '', /HTTP 426.*sec-websocket-version: 8/, /version/],
    [500, {}, 'boom', /HTTP 500 Internal Server Error.*boom/, /log/],
  ];
  it.each(statuses)(
    'answers HTTP %i with %o "%s"',
    async (status, headers, body, message, hint) => {
      await using server = await startHttp((_request, response) => {
        response.writeHead(status, headers).end(body);
      });
      const error = await errorOf(server.url);
      expect(error.code).toBe('WSK_ERR_HTTP_STATUS');
      expect(error.message).toMatch(message);
      expect(error.message).toMatch(/expected 101 Switching Protocols/);
      expect(error.hint).toMatch(hint);
    },
  );

  it('is told apart from a server that refuses an upgrade', async () => {
    await using server = await startWs({ verifyClient: () => false });
    expect((await errorOf(server.url)).message).toMatch(/HTTP 401 Unauthorized/);
  });
});

requirement('TLS', program('openssl', ['version']))('a wss endpoint', () => {
  it('passes with its own certificate as --ca, and with --insecure', async () => {
    const certificate = createCertificate(temporaryFolder(), { name: 'IP:127.0.0.1' });
    await using server = await startWss(certificate, { maxPayload: 1024 });
    const input = { url: server.url, messages: 5, maxPayload: 1024 };
    expect(await runTest({ ...input, ca: certificate.certFile })).toMatchObject({ success: true });
    expect(await runTest({ ...input, insecure: true })).toMatchObject({ success: true });
  });

  it('is refused for a self-signed certificate', async () => {
    const certificate = createCertificate(temporaryFolder(), { name: 'IP:127.0.0.1' });
    await using server = await startWss(certificate, { maxPayload: 1024 });
    const error = await errorOf(server.url);
    expect(error.code).toBe('WSK_ERR_TLS');
    expect(error.message).toMatch(/SELF_SIGNED_CERT/);
    expect(error.hint).toMatch(/--ca .*--insecure/);
  });

  it('is refused for a certificate of another host', async () => {
    const certificate = createCertificate(temporaryFolder(), { name: 'DNS:other.example' });
    await using server = await startWss(certificate, { maxPayload: 1024 });
    const error = await errorOf(server.url, { ca: certificate.certFile });
    expect(error.message).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID/);
    expect(error.hint).toMatch(/host name of the certificate/);
  });

  it('is refused for an expired certificate', async () => {
    const certificate = createCertificate(temporaryFolder(), {
      name: 'IP:127.0.0.1',
      expired: true,
    });
    await using server = await startWss(certificate, { maxPayload: 1024 });
    const error = await errorOf(server.url, { ca: certificate.certFile });
    expect(error.message).toMatch(/CERT_HAS_EXPIRED/);
    expect(error.hint).toMatch(/renew/);
  });

  it('is a plain port: says to try ws://', async () => {
    await using server = await startWs();
    const error = await errorOf(server.url.replace('ws:', 'wss:'));
    expect(error.code).toBe('WSK_ERR_TLS');
    expect(error.hint).toMatch(/ws:\/\/ instead of wss:\/\//);
  });

  it('is dialled as ws: says to try wss://', async () => {
    const certificate = createCertificate(temporaryFolder(), { name: 'IP:127.0.0.1' });
    await using server = await startWss(certificate, { maxPayload: 1024 });
    const error = await errorOf(server.url.replace('wss:', 'ws:'));
    expect(error.hint).toMatch(/wss:\/\//);
  });

  it('has a file of certificates that cannot be read', async () => {
    await expect(
      runTest({ url: 'wss://127.0.0.1:1/', ca: '/no/such/ca.pem' }),
    ).rejects.toMatchObject({ code: 'WSK_ERR_FILE_NOT_READABLE' });
  });
});

describe('--expect-status', () => {
  it('passes for exactly that status and looks at nothing else', async () => {
    await using server = await startHttp((_request, response) => response.writeHead(401).end());
    const report = await runTest({ url: server.url, expectStatus: 401 });
    expect(report).toMatchObject({ success: true, status: 'passed' });
    expect(report.checks).toMatchObject([
      { id: 'expect-status', verdict: 'pass', detail: 'answered HTTP 401 Unauthorized' },
    ]);
  });

  it('fails for another status', async () => {
    await using server = await startHttp((_request, response) => response.writeHead(403).end());
    const report = await runTest({ url: server.url, expectStatus: 401 });
    expect(report).toMatchObject({
      success: false,
      checks: [{ verdict: 'fail', detail: 'answered HTTP 403 Forbidden, expected 401' }],
    });
  });

  it('fails for a server that lets everybody in', async () => {
    await using server = await startWs();
    const report = await runTest({ url: server.url, expectStatus: 401 });
    expect(report.checks).toMatchObject([
      { verdict: 'fail', detail: 'answered 101, expected 401' },
    ]);
  });

  it('is an error for a server that is not there', async () => {
    const url = `ws://127.0.0.1:${await freePort()}/`;
    await expect(runTest({ url, expectStatus: 401 })).rejects.toMatchObject({
      code: 'WSK_ERR_REFUSED',
    });
  });
});
