import type { View } from '../../core/operation.ts';
import type { ConfigReport } from './schema.ts';

/** Lays the settings out, one row for each key. */
export function viewConfig(report: ConfigReport): View {
  const valueOf = (key: string): unknown =>
    key
      .split('.')
      .reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], report.settings);
  return {
    title: 'effective configuration',
    facts: [['file', report.file ?? 'none in this folder or above']],
    ...(report.note === null ? {} : { notes: [report.note] }),
    table: {
      columns: ['key', 'value', 'from'],
      rows: Object.entries(report.origins).map(([key, origin]) => [
        key,
        JSON.stringify(valueOf(key)),
        origin,
      ]),
    },
  };
}
