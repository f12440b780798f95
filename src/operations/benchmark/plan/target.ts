import { createPrivateKey, X509Certificate } from 'node:crypto';
import { UsageError } from '../../../core/errors.ts';
import type { LoadTarget } from '../../../load/plan.ts';
import type { BenchmarkInput } from '../schema.ts';
import { readInputFile } from '../../../core/input-file.ts';

/** What a connection needs beside a URL and a local address. */
export type Access = Omit<LoadTarget, 'url' | 'sourceAddresses'>;

/** Reads headers, tokens and PEM files; throws `UsageError`. */
export async function accessOf(input: BenchmarkInput, cwd: string): Promise<Access> {
  const headers = input.headers.map(toHeader);
  const tokens = input.tokenFile === undefined ? [] : await readTokens(input.tokenFile, cwd);
  if (tokens.length > 0 && headers.some(([name]) => name.toLowerCase() === 'authorization')) {
    throw refusal('--token-file excludes --header "Authorization: ..."');
  }
  return {
    headers,
    subprotocols: input.subprotocols,
    compression: input.compression,
    tokens,
    insecure: input.insecure,
    ca: await readPem(input.ca, { flag: '--ca', cwd, check: (pem) => new X509Certificate(pem) }),
    cert: await readPem(input.cert, {
      flag: '--cert',
      cwd,
      check: (pem) => new X509Certificate(pem),
    }),
    key: await readPem(input.key, { flag: '--key', cwd, check: (pem) => createPrivateKey(pem) }),
  };
}

function toHeader(line: string): readonly [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}

async function readTokens(file: string, cwd: string): Promise<string[]> {
  const text = (await readInputFile(file, { cwd, flag: '--token-file' })).toString('utf8');
  const tokens = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const described = `--token-file is ${JSON.stringify(file)}`;
  if (tokens.length === 0) throw refusal(`${described}, which holds no token`, 'one on each line');
  // RFC 9110 section 5.5: what a field value may hold; the token itself is not for the eye.
  const wrong = tokens.findIndex((token) => !/^[\x21-\x7e]+$/.test(token));
  if (wrong >= 0) {
    throw refusal(`${described}, whose token ${wrong + 1} holds spaces or other than ASCII`);
  }
  return tokens;
}

async function readPem(
  file: string | undefined,
  { flag, cwd, check }: { flag: string; cwd: string; check: (pem: string) => unknown },
): Promise<string | null> {
  if (file === undefined) return null;
  const pem = (await readInputFile(file, { cwd, flag })).toString('utf8');
  try {
    check(pem);
  } catch (cause) {
    throw new UsageError(
      'WSK_ERR_INVALID_INPUT',
      `${flag} is ${JSON.stringify(file)}, which holds no PEM of that kind`,
      { cause },
    );
  }
  return pem;
}

function refusal(message: string, hint?: string): UsageError {
  return new UsageError('WSK_ERR_INVALID_INPUT', message, hint === undefined ? {} : { hint });
}
