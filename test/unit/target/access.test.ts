import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readAccess } from '../../../src/target/access.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describe('readAccess', () => {
  it('splits header lines at the first colon', async () => {
    const headers = ['Origin: https://a.example', 'X-Empty:'];
    expect(await readAccess({ headers, insecure: true }, '.')).toEqual({
      headers: [
        ['Origin', 'https://a.example'],
        ['X-Empty', ''],
      ],
      tls: { rejectUnauthorized: false, ca: undefined },
    });
  });

  it('refuses a file of --ca that cannot be read or holds no certificate', async () => {
    const cwd = temporaryFolder();
    const input = { headers: [], insecure: false, ca: 'ca.pem' };
    await expect(readAccess(input, cwd)).rejects.toThrow(
      '--ca is "ca.pem", which cannot be read (ENOENT)',
    );
    writeFileSync(path.join(cwd, 'ca.pem'), 'not a certificate');
    await expect(readAccess(input, cwd)).rejects.toThrow(
      '--ca is "ca.pem", which holds no PEM of that kind',
    );
  });
});
