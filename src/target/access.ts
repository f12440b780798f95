import { X509Certificate } from 'node:crypto';
import { UsageError } from '../core/errors.ts';
import { parseHeaderLines } from '../core/fields.ts';
import { readInputFile } from '../core/input-file.ts';

/** The target fields that a connection needs besides the URL, with the file of `--ca` read. */
export interface Access {
  readonly headers: readonly [name: string, value: string][];
  readonly tls: { readonly rejectUnauthorized: boolean; readonly ca: string | undefined };
}

interface AccessInput {
  readonly headers: readonly string[];
  readonly insecure: boolean;
  readonly ca?: string | undefined;
}

/** Throws `UsageError` when the file of `--ca` cannot be read or holds no certificate. */
export async function readAccess(input: AccessInput, cwd: string): Promise<Access> {
  const ca = await readPem(input.ca, {
    flag: '--ca',
    cwd,
    check: (pem) => new X509Certificate(pem),
  });
  return {
    headers: parseHeaderLines(input.headers),
    tls: { rejectUnauthorized: !input.insecure, ca },
  };
}

/** Reads a PEM file; `check` throws for one of another kind. Throws `UsageError`. */
export async function readPem(
  file: string | undefined,
  { flag, cwd, check }: { flag: string; cwd: string; check: (pem: string) => unknown },
): Promise<string | undefined> {
  if (file === undefined) return undefined;
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
