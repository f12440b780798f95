/** Levels of arrays and objects in each other: what reads or writes them needs as many calls. */
export const MAX_DEPTH = 64;

/**
 * Why a value cannot be passed on as JSON: it is nested deeper than `limit` levels, or holds a number that is
 * none in JSON, which `JSON.parse` makes of 1e400 and `JSON.stringify` writes as null (RFC 8259 section 6).
 */
export function faultOfJson(value: unknown, limit = MAX_DEPTH): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return 'expected numbers that a double can hold';
  }
  if (typeof value !== 'object' || value === null) return undefined;
  if (limit === 0) return `expected at most ${String(MAX_DEPTH)} levels`;
  for (const item of Object.values(value)) {
    const fault = faultOfJson(item, limit - 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
