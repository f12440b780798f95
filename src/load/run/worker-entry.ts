import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { ScenarioWorker } from '../workloads/scenario.ts';
import { MessageWorker } from '../workloads/message-worker.ts';
import type { WorkerStart } from '../workloads/protocol.ts';
import { ConnectWorker } from '../workloads/connect.ts';

/* The entry of a worker thread of the generator. */
if (parentPort !== null) void run(workerData as WorkerStart, parentPort);

/** The fast engine is here; the others, with all that they need, are loaded when they are to run. */
async function run(start: WorkerStart, port: MessagePort): Promise<void> {
  switch (start.workload.engine) {
    case 'fast':
      if (start.plan.mode === 'connect') new ConnectWorker(start, port);
      else new MessageWorker(start, port);
      break;
    case 'client': {
      const { ClientThread } = await import('../workloads/client.ts');
      new ClientThread(start, port);
      break;
    }
    case 'scenario':
      new ScenarioWorker(start, port, start.workload.scenario);
      break;
  }
}
