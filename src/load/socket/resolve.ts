import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import { hostOf, portOf } from '../../transport/address.ts';

/**
 * The addresses of the host of `url`, of the family that answers. Resolved once, so that ten thousand
 * connections do not wait for the name server. Empty when the name does not resolve.
 */
export async function resolveAddresses(url: URL, timeoutMs: number): Promise<string[]> {
  const host = hostOf(url);
  if (isIP(host) !== 0) return [host];
  const found = await lookup(host, { all: true }).catch(() => []);
  const families = new Set(found.map(({ family }) => family));
  if (families.size < 2) return found.map(({ address }) => address);
  const family = await answeringFamily(host, portOf(url), timeoutMs);
  return found.filter((entry) => entry.family === family).map(({ address }) => address);
}

/** 4 or 6; 4 when nothing answers: the connections will report why. */
function answeringFamily(host: string, port: number, timeoutMs: number): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, autoSelectFamily: true, timeout: timeoutMs });
    const settle = (): void => {
      resolve(socket.remoteFamily === 'IPv6' ? 6 : 4);
      socket.destroy();
    };
    socket.on('connect', settle).on('error', settle).on('timeout', settle);
  });
}
