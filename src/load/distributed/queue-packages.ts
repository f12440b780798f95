import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as bullmq from 'bullmq';
import type { Redis } from 'ioredis';
import { EnvironmentError } from '../../core/errors.ts';

/* The only place that loads BullMQ and ioredis, optional peers that only distributed runs need. */

const HERE = path.dirname(fileURLToPath(import.meta.url));

export interface QueuePackages {
  readonly bullmq: Pick<typeof bullmq, 'Queue' | 'QueueEvents' | 'QueueEventsProducer' | 'Worker'>;
  readonly Redis: typeof Redis;
}

/**
 * Loads BullMQ and ioredis from beside this package, else from `cwd`: the package may be installed
 * globally and they in the project.
 *
 * @throws EnvironmentError WSK_ERR_QUEUE_MISSING with the command that installs it
 */
export function loadQueuePackages(cwd: string): QueuePackages {
  return {
    bullmq: load('bullmq', cwd) as typeof bullmq,
    Redis: (load('ioredis', cwd) as { Redis: typeof Redis }).Redis,
  };
}

function load(name: string, cwd: string): unknown {
  const require = createRequire(import.meta.url);
  try {
    return require(require.resolve(name, { paths: [HERE, cwd] }));
  } catch (cause) {
    if (!isNotFound(cause)) throw cause;
    throw new EnvironmentError('WSK_ERR_QUEUE_MISSING', `${name} is not installed`, {
      cause,
      hint: 'npm install bullmq ioredis',
    });
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND';
}
