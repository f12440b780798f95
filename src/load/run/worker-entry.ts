import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { ConnectWorker } from '../workloads/connect.ts';
import { MessageWorker } from '../workloads/message-worker.ts';
import type { WorkerStart } from '../workloads/protocol.ts';
import { ScenarioWorker } from '../workloads/scenario.ts';

/* The entry of a worker thread of the generator. */
if (parentPort !== null) run(workerData as WorkerStart, parentPort);

function run(start: WorkerStart, port: MessagePort): void {
  const { workload, plan } = start;
  if (workload.engine === 'scenario') new ScenarioWorker(start, port, workload.scenario);
  else if (plan.mode === 'connect') new ConnectWorker(start, port);
  else new MessageWorker(start, port);
}
