import { createPrivateKey, X509Certificate } from 'node:crypto';
import { invalidInput } from '../../../core/errors.ts';
import type { LoadTarget } from '../../../load/plan.ts';
import type { BenchmarkInput } from '../schema.ts';
import { readInputFile } from '../../../core/input-file.ts';
import { readAccess, readPem } from '../../../target/access.ts';

/** What a connection needs beside a URL and a local address. */
export type Access = Omit<LoadTarget, 'url' | 'sourceAddresses'>;

/** Reads headers, tokens and PEM files; throws `UsageError`. */
export async function accessOf(input: BenchmarkInput, cwd: string): Promise<Access> {
  const { headers, tls } = await readAccess(input, cwd);
  const tokens = input.tokenFile === undefined ? [] : await readTokens(input.tokenFile, cwd);
  if (tokens.length > 0 && headers.some(([name]) => name.toLowerCase() === 'authorization')) {
    throw invalidInput('--token-file excludes --header "Authorization: ..."');
  }
  const certificate = { cwd, check: (pem: string) => new X509Certificate(pem) };
  return {
    headers,
    subprotocols: input.subprotocols,
    compression: input.compression,
    tokens,
    insecure: input.insecure,
    ca: tls.ca ?? null,
    cert: (await readPem(input.cert, { ...certificate, flag: '--cert' })) ?? null,
    key: (await readPem(input.key, { flag: '--key', cwd, check: createPrivateKey })) ?? null,
  };
}

async function readTokens(file: string, cwd: string): Promise<string[]> {
  const text = (await readInputFile(file, { cwd, flag: '--token-file' })).toString('utf8');
  const tokens = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const described = `--token-file is ${JSON.stringify(file)}`;
  if (tokens.length === 0)
    throw invalidInput(`${described}, which holds no token`, 'one on each line');
  // RFC 9110 section 5.5: what a field value may hold; the token itself is not for the eye.
  const wrong = tokens.findIndex((token) => !/^[\x21-\x7e]+$/.test(token));
  if (wrong >= 0) {
    throw invalidInput(`${described}, whose token ${wrong + 1} holds spaces or other than ASCII`);
  }
  return tokens;
}
