import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { ScenarioThread } from '../scenario/run/scenario-thread.ts';
import { LoadThread } from './load-thread.ts';
import type { WorkerStart } from './messages.ts';
import { StormThread } from './storm-thread.ts';

/* The entry of a worker thread of the generator. */
if (parentPort !== null) void run(workerData as WorkerStart, parentPort);

/** The fast engine is here; the others, with all that they need, are loaded when they are to run. */
async function run(start: WorkerStart, port: MessagePort): Promise<void> {
  switch (start.workload.engine) {
    case 'fast':
      if (start.plan.mode === 'connect') new StormThread(start, port);
      else new LoadThread(start, port);
      break;
    case 'client': {
      const { ClientThread } = await import('../client/client-thread.ts');
      new ClientThread(start, port);
      break;
    }
    case 'scenario':
      new ScenarioThread(start, port, start.workload.scenario);
      break;
  }
}
