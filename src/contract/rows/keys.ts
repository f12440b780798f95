import { generateKeyPair } from 'node:crypto';
import type { JsonWebKey, KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { requireThat } from '../client.ts';
import type { Lab } from '../lab.ts';
import { ALL, rowsOf } from '../row.ts';
import type { Row } from '../row.ts';
import { show } from '../shape.ts';
import { userToken } from '../token.ts';
import { refusesToken } from './auth.ts';

const row = rowsOf('Authentication (feature `auth`)', ALL, {
  needs: ['auth', 'audience', 'project'],
  reference: '8725#3.1',
});

const makeKeys = promisify(generateKeyPair);

interface Keys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

function rsaKeys(): Promise<Keys> {
  return makeKeys('rsa', { modulusLength: 2048 });
}

/** As a member of a set of keys. */
function jwkOf(publicKey: KeyObject): JsonWebKey {
  return { ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' };
}

/** Makes tokens for the audience of the server. */
function tokens(lab: Lab) {
  const { audience } = lab.subject.secrets;
  return (key: KeyObject | string, options: Parameters<typeof userToken>[2] = {}): string =>
    userToken('ada', key, {
      audience,
      algorithm: typeof key === 'string' ? 'HS256' : 'RS256',
      ...options,
    });
}

/** Serves a set of keys (RFC 7517 section 5), while it is up; its URL. */
async function serveKeys(
  lab: Lab,
  keys: readonly JsonWebKey[],
  isUp = (): boolean => true,
): Promise<string> {
  const server = createServer((_, response) => {
    response.statusCode = isUp() ? 200 : 500;
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  lab.defer(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

export const KEYS: readonly Row[] = [
  row(
    'common.keys.public',
    'with a public key, tokens of its private key are taken, and no others',
    async (lab) => {
      const [{ publicKey, privateKey }, other] = await Promise.all([rsaKeys(), rsaKeys()]);
      const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
      const server = await lab.boot({ AUTH_SECRET: '', AUTH_PUBLIC_KEY: pem });
      const token = tokens(server);
      await server.connect({ token: token(privateKey) });
      // Everybody has the public key: as a secret it must not sign (HS256).
      for (const secret of [pem, pem.trim()]) await refusesToken(server, token(secret));
      await refusesToken(server, token(other.privateKey));
      await refusesToken(server, token(privateKey, { audience: 'somebody-else' }));
      await refusesToken(server, token('', { algorithm: 'none' }));
    },
  ),
  row(
    'common.keys.set',
    'with a set of keys, only those of the set sign, whatever a token brings along',
    async (lab) => {
      const [own, other] = await Promise.all([rsaKeys(), rsaKeys()]);
      const [key, foreign] = [jwkOf(own.publicKey), jwkOf(other.publicKey)];
      const server = await lab.boot({
        AUTH_SECRET: '',
        AUTH_JWKS_URL: await serveKeys(lab, [key]),
      });
      const token = tokens(server);
      const header = { kid: 'k1' };
      await server.connect({ token: token(own.privateKey, { header }) });
      await refusesToken(server, token(own.privateKey, { header, audience: 'somebody-else' }));
      await refusesToken(server, token(other.privateKey, { header }));
      // A key that may be new: the server may not be allowed to fetch the set again yet.
      const unknown = token(other.privateKey, { header: { kid: 'k2' } });
      const { status, headers } = await server.refuses({ token: unknown }, 401, 503);
      const wait = headers['retry-after'];
      requireThat(
        status === 401 || Number(wait) > 0,
        `Retry-After is ${show(wait)}, expected seconds`,
      );
      // RFC 7515 sections 4.1.2 and 4.1.3: a token may name its key, or where it is.
      await refusesToken(server, token(other.privateKey, { header: { ...header, jwk: foreign } }));
      const jku = await serveKeys(lab, [foreign]);
      await refusesToken(server, token(other.privateKey, { header: { ...header, jku } }));
      for (const secret of [JSON.stringify(key), String(key.n)]) {
        await refusesToken(server, token(secret, { header }));
      }
    },
  ),
  row(
    'common.keys.unavailable',
    'while keys are not to be had, nobody is told that a token is bad, and connections stay',
    async (lab) => {
      const { publicKey, privateKey } = await rsaKeys();
      let isUp = false;
      const url = await serveKeys(lab, [jwkOf(publicKey)], () => isUp);
      const server = await lab.boot({ AUTH_SECRET: '', AUTH_JWKS_URL: url });
      const token = tokens(server)(privateKey, { header: { kid: 'k1' } });
      const { headers } = await server.refuses({ token }, 503);
      const wait = headers['retry-after'];
      requireThat(Number(wait) > 0, `Retry-After is ${show(wait)}, expected seconds`);
      const early = await server.open({ token: null });
      await early.expect('auth-required');
      const first = await early.refused({ type: 'auth', token }, 'unavailable');
      requireThat(Number(first['retryAfterMs']) > 0, 'expected "retryAfterMs" above 0');
      await early.closed(1013);
      isUp = true;
      const client = await server.connect({ token });
      isUp = false;
      const newer = tokens(server)(privateKey, { header: { kid: 'k2' } });
      await client.refused({ type: 'auth', token: newer }, 'unavailable');
      await client.lives();
    },
  ),
];
