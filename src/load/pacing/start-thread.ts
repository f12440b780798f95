import { Worker } from 'node:worker_threads';

/** Starts a thread from what `threadSources` said. */
export function startThread(entry: string, name: string, workerData: unknown): Worker {
  // The flags of this process are for its own script: --input-type, for one, stops a thread.
  const options = { name, workerData, execArgv: [] };
  return entry.startsWith('file:')
    ? new Worker(new URL(entry), options)
    : new Worker(entry, { ...options, eval: true });
}
