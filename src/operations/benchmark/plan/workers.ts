/** Connections that keep one thread busy enough for a second one to pay. */
const CONNECTIONS_PER_WORKER = 500;

/** How many threads `--workers` means; one core is left to the server or to the rest. */
export function workersOf(workers: string, { connections, cores }: Counts): number {
  if (workers !== 'auto') return Math.min(Number(workers), connections);
  return Math.max(1, Math.min(cores - 1, Math.floor(connections / CONNECTIONS_PER_WORKER)));
}

interface Counts {
  readonly connections: number;
  readonly cores: number;
}
