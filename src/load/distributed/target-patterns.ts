/** `host`, `host:port`, `*.example.com`, `10.0.0.*:8080`, `[::1]:8080`; `*` alone is any host. */
export const TARGET_PATTERN = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9*._-]+)(?::\d{1,5})?$/;

/** Whether one of `patterns` matches `host` (from `hostAndPort`); without patterns any host is allowed. */
export function isAllowedTarget(host: string, patterns: readonly string[]): boolean {
  return patterns.length === 0 || patterns.some((pattern) => toRegExp(pattern).test(host));
}

/** `*` matches any part of a name; a pattern without a port matches all ports. */
function toRegExp(pattern: string): RegExp {
  const text = pattern.replaceAll(/[.[\]]/g, '\\$&').replaceAll('*', '[^:]*');
  return new RegExp(`^${text}${/:\d+$/.test(pattern) ? '' : ':\\d+'}$`, 'i');
}
