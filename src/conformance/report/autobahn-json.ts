const INDENT = '   ';

/**
 * Writes JSON the way Autobahn|Testsuite does, so that its files can be compared byte by byte:
 * keys sorted as strings, three spaces, `,` and `: `, ASCII only, no newline at the end.
 *
 * Not by `JSON.stringify` alone, since that puts keys that look like array indexes (the opcodes of
 * the frame statistics) first and in the order of numbers.
 */
export function formatAutobahnJson(value: unknown, depth = 0): string {
  if (typeof value !== 'object' || value === null) return formatScalar(value);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const items = Array.isArray(value)
    ? value.map((item) => formatAutobahnJson(item, depth + 1))
    : Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, item]) => `${formatScalar(key)}: ${formatAutobahnJson(item, depth + 1)}`);
  if (items.length === 0) return `${open}${close}`;
  const inner = items.map((item) => `\n${INDENT.repeat(depth + 1)}${item}`).join(',');
  return `${open}${inner}\n${INDENT.repeat(depth)}${close}`;
}

/** A JavaScript number that JSON has no form for (a ratio by zero) becomes null. */
function formatScalar(value: unknown): string {
  return JSON.stringify(value ?? null).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
