// The baseline as one of the generators.
import { compile } from '../machine.mjs';

/** Messages in flight on a connection in the open model: more than any server here falls behind. */
const MOST_IN_FLIGHT = 4096;

export const baseline = {
  name: 'C client',
  command: ({ port, connections, depth = MOST_IN_FLIGHT, rate, bytes, seconds }) =>
    [compile('echo-client'), port, connections, depth, bytes, seconds, ...(rate ? [rate] : [])].map(
      String,
    ),
  read: ({ stdout }) => {
    const { p50, p99 } = JSON.parse(stdout);
    return { p50, p99 };
  },
};
