export type Level = 'info' | 'warn' | 'error';

/**
 * Writes one JSON line to standard output. Fields are facts about connections; message contents
 * and credentials never go in here.
 */
export function log(level: Level, event: string, fields: Record<string, unknown> = {}): void {
  process.stdout.write(`${JSON.stringify({ level, event, ...fields })}\n`);
}
