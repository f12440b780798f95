import { invalidInput } from '../../core/errors.ts';

/** Descriptors beside the connections: reports, pipes of threads, files of Node. */
const RESERVE = 100;

/**
 * Throws `UsageError` WSK_ERR_INVALID_INPUT when this process may not open a descriptor for each
 * connection: Node would fail in the middle of the run.
 */
export function checkDescriptors(connections: number, limit: number | null): void {
  const needed = connections + RESERVE;
  if (limit === null || needed <= limit) return;
  throw invalidInput(
    `--connections is ${connections}, expected at most ${Math.max(0, limit - RESERVE)}: ` +
      `this process may open ${limit} descriptors`,
    `raise the limit: "ulimit -n ${needed}" in this shell; above its hard limit (ulimit -Hn) nofile in ` +
      '/etc/security/limits.conf, LimitNOFILE= of systemd, or --ulimit nofile= of docker; ' +
      'or split the load with --distributed',
  );
}
