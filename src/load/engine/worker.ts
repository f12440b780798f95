import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { ClientThread } from '../client/client-thread.ts';
import { LoadThread } from './load-thread.ts';
import type { WorkerStart } from './messages.ts';

/* The entry of a worker thread of the generator. */
if (parentPort !== null) run(workerData as WorkerStart, parentPort);

function run(start: WorkerStart, port: MessagePort): void {
  switch (start.workload.engine) {
    case 'fast':
      new LoadThread(start, port);
      break;
    case 'client':
      new ClientThread(start, port);
      break;
    case 'scenario':
      throw new Error('scenarios come next');
  }
}
