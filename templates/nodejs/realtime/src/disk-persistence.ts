import { createHash } from 'node:crypto';
import { access, constants, mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ConfigError } from './config.ts';
import { log } from './log.ts';
import type { Persistence } from './persistence.ts';

/** Bytes before each update: its length, and four of its SHA-256. */
const HEAD_BYTES = 8;

/**
 * Keeps each document in a file of its own: updates one after the other. What has been kept survives the end of
 * the machine; of an update that was being written at that moment, or was damaged, nothing is read. One process
 * per folder.
 */
export class DiskPersistence implements Persistence {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws {ConfigError} nothing can be kept in the folder */
  async start(): Promise<void> {
    try {
      await makeFolder(resolve(this.#folder));
      await access(this.#folder, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (error) {
      throw new ConfigError(`PERSISTENCE_DIR cannot be used: ${String(error)}`);
    }
  }

  async load(name: string): Promise<readonly Uint8Array[]> {
    const bytes = await readFile(this.#file(name)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    });
    const updates: Uint8Array[] = [];
    let [at, good] = [0, 0];
    while (at + HEAD_BYTES <= bytes.length) {
      const start = at + HEAD_BYTES;
      const update = bytes.subarray(start, start + bytes.readUInt32BE(at));
      const isGood = headOf(update).equals(bytes.subarray(at, start));
      at = start + update.length;
      if (!isGood) continue;
      updates.push(update);
      good += HEAD_BYTES + update.length;
    }
    if (good < bytes.length) {
      // It may be more than an update that was being written.
      const copy = `${this.#file(name)}.damaged-${String(Date.now())}`;
      log('error', 'document-damaged', { document: name, bytes: bytes.length - good, copy });
      await writeWhole(copy, [bytes]);
      await this.#keep(name, updates);
    }
    return updates;
  }

  async append(name: string, update: Uint8Array): Promise<void> {
    const size = await using(this.#file(name), 'a', async (file) => {
      const before = await file.stat();
      await file.writeFile(Buffer.concat([headOf(update), update]));
      await file.datasync();
      return before.size;
    });
    if (size === 0) await this.#syncFolder();
  }

  async replace(name: string, state: Uint8Array): Promise<void> {
    await this.#keep(name, [state]);
  }

  async release(): Promise<void> {
    // No file stays open.
  }

  #file(name: string): string {
    return join(this.#folder, `${name}.yjs`);
  }

  /** Keeps `updates` and nothing else. */
  async #keep(name: string, updates: readonly Uint8Array[]): Promise<void> {
    const made = `${this.#file(name)}.new`;
    await writeWhole(
      made,
      updates.flatMap((update) => [headOf(update), update]),
    );
    await rename(made, this.#file(name));
    await this.#syncFolder();
  }

  /** The name of a file is on the disk, too. */
  async #syncFolder(): Promise<void> {
    await using(this.#folder, 'r', (folder) => folder.sync());
  }
}

/** Makes a folder and those above. With `recursive`, `mkdir` never ends where there can be none, as in /proc. */
async function makeFolder(path: string): Promise<void> {
  const isThere = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isThere) return;
  if (dirname(path) !== path) await makeFolder(dirname(path));
  await mkdir(path);
}

async function writeWhole(path: string, parts: readonly Uint8Array[]): Promise<void> {
  await using(path, 'w', async (file) => {
    await file.writeFile(Buffer.concat(parts));
    await file.sync();
  });
}

/** Does something with a file that is open for that time. */
async function using<T>(
  path: string,
  flags: string,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(path, flags);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

function headOf(update: Uint8Array): Buffer {
  const head = createHash('sha256').update(update).digest().subarray(0, HEAD_BYTES);
  head.writeUInt32BE(update.length);
  return head;
}
