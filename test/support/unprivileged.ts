import { chownSync, readdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

/** A user without rights: `nobody` on every Unix we know. */
const NOBODY = 65_534;

/**
 * Runs `action` without root's right to ignore permissions; `folder` and all in it belong to the
 * user that `action` runs as. Where the tests do not run as root, nothing has to change.
 */
export async function asUnprivileged(folder: string, action: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0 || process.seteuid === undefined) {
    await action();
    return;
  }
  chownSync(folder, NOBODY, NOBODY);
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    chownSync(path.join(folder, entry), NOBODY, NOBODY);
  }
  process.seteuid(NOBODY);
  try {
    await action();
  } finally {
    process.seteuid(0);
  }
}
