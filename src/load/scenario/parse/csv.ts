/**
 * Reads comma-separated values (RFC 4180): the first row names the columns.
 *
 * Throws an `Error` that names the row, for another number of fields or a quote that does not end.
 */
export function parseCsv(text: string): Record<string, string>[] {
  const [head, ...rows] = rowsOf(text.replace(/^\uFEFF/, ''));
  if (head === undefined || rows.length === 0) throw new Error('it has no row below the header');
  return rows.map((row, i) => {
    if (row.length !== head.length) {
      throw new Error(`row ${i + 2} has ${row.length} fields, the header has ${head.length}`);
    }
    return Object.fromEntries(head.map((name, column) => [name, row[column] as string]));
  });
}

const FIELD = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/gy;

function rowsOf(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  FIELD.lastIndex = 0;
  while (FIELD.lastIndex < text.length) {
    const match = FIELD.exec(text);
    if (match === null) throw new Error(`row ${rows.length + 1} has a quote out of place`);
    row.push(match[1]?.replaceAll('""', '"') ?? (match[2] as string));
    if (match[3] === ',') {
      if (FIELD.lastIndex === text.length) row.push('');
      else continue;
    }
    rows.push(row);
    row = [];
  }
  return rows.filter((fields) => fields.length > 1 || fields[0] !== '');
}
