import { isIP } from 'node:net';

/** The host of `url`, an IPv6 address without its brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}

/** The port of `url`, with the defaults of RFC 6455 section 3. */
export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'wss:' ? 443 : 80;
}

/** `host:port` of `url`, the port always included and an IPv6 address in brackets. */
export function hostAndPort(url: URL): string {
  return `${url.hostname}:${portOf(url)}`;
}

/** The option `servername` of a TLS client; RFC 6066 section 3 forbids literal addresses in it. */
export function serverNameOf(url: URL): { readonly servername?: string } {
  const host = hostOf(url);
  return isIP(host) === 0 ? { servername: host } : {};
}

/** The WebSocket URL of a listener, without a path; an IPv6 address gets its brackets. */
export function listenerUrl(host: string, port: number): string {
  return `ws://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}
