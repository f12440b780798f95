import { Worker } from 'node:worker_threads';

/** Starts a thread from what `threadSources` said. */
export function startThread(entry: string, name: string, workerData: unknown): Worker {
  return entry.startsWith('file:')
    ? new Worker(new URL(entry), { name, workerData })
    : new Worker(entry, { name, workerData, eval: true });
}
