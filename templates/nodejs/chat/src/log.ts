export type Level = 'info' | 'warn' | 'error';

/** What terminals obey and JSON leaves as it is: DEL, C1 controls, line ends, direction of writing. */
const UNPRINTABLE = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Writes one JSON line to standard output. Fields are facts about connections; message contents
 * and credentials never go in here.
 */
export function log(level: Level, event: string, fields: Record<string, unknown> = {}): void {
  const line = JSON.stringify({ level, event, ...fields }).replace(UNPRINTABLE, escapeUnit);
  process.stdout.write(`${line}\n`);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
