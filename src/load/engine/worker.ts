import { parentPort, workerData } from 'node:worker_threads';
import { LoadThread } from './load-thread.ts';
import type { WorkerStart } from './messages.ts';

/* The entry of a worker thread of the generator. */
if (parentPort !== null) new LoadThread(workerData as WorkerStart, parentPort);
