import type { BenchmarkInput } from '../schema.ts';

/**
 * Settings that let a generated project take the load: all of it comes from one address and few
 * clients, which the project's limits per client would refuse. Variables that are set stay.
 */
export function projectSettings(
  { connections }: Pick<BenchmarkInput, 'connections'>,
  env: NodeJS.ProcessEnv,
): Record<string, string> {
  const places = String(Math.max(10_000, connections + 100));
  const settings: Record<string, string> = {
    MAX_CONNECTIONS: places,
    MAX_CONNECTIONS_PER_IP: places,
    MAX_ROOM_MEMBERS: String(Math.min(100_000, Number(places))),
    RATE_LIMIT: '1000000',
    RATE_BURST: '1000000',
  };
  return Object.fromEntries(
    Object.entries(settings).filter(([name]) => env[name] === undefined || env[name] === ''),
  );
}
