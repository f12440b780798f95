import type { BenchmarkInput } from '../schema.ts';

/** What `MAX_BUFFERED` has to hold for each member of a room: the reply to a join is a fourth of it. */
const BUFFERED_PER_MEMBER = 4 * 67;

/** Members for whom a chat server has space by its defaults. */
const DEFAULT_FITS = Math.floor(2_097_152 / BUFFERED_PER_MEMBER);

/**
 * Settings that let a generated project take the load: all of it comes from one address and few
 * clients, which the project's limits per client would refuse. Variables that are set stay.
 */
export function projectSettings(
  { connections }: Pick<BenchmarkInput, 'connections'>,
  env: NodeJS.ProcessEnv,
): Record<string, string> {
  const places = String(Math.max(10_000, connections + 100));
  const members = Math.min(100_000, Math.max(1000, connections + 100));
  const settings: Record<string, string> = {
    MAX_CONNECTIONS: places,
    MAX_CONNECTIONS_PER_IP: places,
    HANDSHAKE_RATE: '1000000',
    MAX_ROOM_MEMBERS: String(members),
    ...(members > DEFAULT_FITS ? { MAX_BUFFERED: String(members * BUFFERED_PER_MEMBER) } : {}),
    RATE_LIMIT: '1000000',
    RATE_BURST: '1000000',
  };
  return Object.fromEntries(
    Object.entries(settings).filter(([name]) => env[name] === undefined || env[name] === ''),
  );
}
