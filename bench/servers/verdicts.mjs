/**
 * The pinned verdicts. verdicts.json has for each server its version, and per operation the ids of the
 * rows with each grade, in one string; rows that fail stand by their reason: the MUST that is broken,
 * and its section. `varies` has rows of no fixed grade, as it depends on what comes in one piece, and on
 * how much arrives before the server closes TCP; there only a fail without a reason is a difference.
 */
import { versionOf } from './install.mjs';
import { servers } from './table.mjs';

/** Stands for the reason of a new fail until somebody has read the RFC. */
export const UNCHECKED = 'to be checked by hand';

const VARIES = 'varies';

/** `[id, grade, reason]` of each row that is pinned for one operation. */
function pinnedRows(grades = {}) {
  return Object.entries(grades).flatMap(([grade, rows]) => {
    if (typeof rows === 'string') return rows.split(' ').map((id) => [id, grade]);
    return Object.entries(rows).flatMap(([why, ids]) =>
      ids.split(' ').map((id) => [id, grade, why]),
    );
  });
}

/** Where what was seen is not what is pinned, in lines. */
export function differences(pinned, seen) {
  return Object.entries(seen).flatMap(([operation, grades]) => {
    if (pinned?.[operation] === undefined) return [`${operation}: nothing is pinned`];
    const rows = pinnedRows(pinned[operation]);
    const varying = new Set(rows.filter(([, grade]) => grade === VARIES).map(([id]) => id));
    const expected = new Map(rows.filter(([, grade]) => grade !== VARIES));
    const lines = [];
    for (const [grade, texts] of Object.entries(grades)) {
      for (const [id, text] of Object.entries(texts)) {
        const wanted = expected.get(id) ?? 'not mentioned';
        expected.delete(id);
        if (wanted === grade || (varying.has(id) && grade !== 'fail')) continue;
        lines.push(`${operation} ${id}: ${grade}, pinned is ${wanted}: ${text}`);
      }
    }
    for (const [id, grade] of expected) {
      if (!varying.has(id)) lines.push(`${operation} ${id}: not mentioned, pinned is ${grade}`);
    }
    return lines;
  });
}

/** `reason: ids` of all pinned fails of a server, one line each. */
export function reasons(pinned) {
  return Object.entries(pinned).flatMap(([operation, grades]) =>
    Object.entries(grades.fail ?? {}).map(([why, ids]) => `${operation} ${ids}: ${why}`),
  );
}

/** What is to be pinned for a server: what was seen, with the reasons that are known and the rows that vary. */
export function pin(server, seen, pinned = {}) {
  const operations = Object.entries(seen).map(([operation, grades]) => {
    const before = pinnedRows(pinned[operation]);
    const varying = before.filter(([, grade]) => grade === VARIES).map(([id]) => id);
    const known = new Map(
      before.filter(([, grade]) => grade === 'fail').map(([id, , why]) => [id, why]),
    );
    const { fail = {}, ...others } = grades;
    const failing = [
      ...Object.keys(fail),
      ...varying.filter((id) => known.has(id) && !(id in fail)),
    ];
    const kept = {};
    for (const id of failing) {
      const why = known.get(id) ?? UNCHECKED;
      kept.fail = { ...kept.fail, [why]: [...(kept.fail?.[why]?.split(' ') ?? []), id].join(' ') };
    }
    for (const [grade, texts] of Object.entries(others)) {
      const ids = Object.keys(texts).filter((id) => !varying.includes(id));
      if (ids.length > 0) kept[grade] = ids.join(' ');
    }
    if (varying.length > 0) kept[VARIES] = varying.join(' ');
    return [operation, kept];
  });
  // Operations that did not run stay as they are pinned.
  return { ...pinned, version: versionOf(server), ...Object.fromEntries(operations) };
}

/** How many rows have each of the grades, as `2 fail, 3 warn`; `-` for none. */
export function counts(grades) {
  const numbers = Object.entries(grades).map(([grade, rows]) => {
    const groups = typeof rows === 'string' ? [rows] : Object.values(rows);
    return `${groups.flatMap((ids) => ids.split(' ')).length} ${grade}`;
  });
  return numbers.join(', ') || '-';
}

/** The pinned verdicts as a Markdown table. */
export function markdown(verdicts, operations) {
  const head = ['server', 'version', ...operations.map((name) => `\`${name}\``)];
  const rows = servers
    .filter(({ name }) => verdicts[name])
    .map(({ name, behind }) => [
      behind ? `${name}, before ${behind}` : name,
      verdicts[name].version,
      ...operations.map((operation) => counts(verdicts[name][operation] ?? {})),
    ]);
  const widths = head.map((_, at) => Math.max(...[head, ...rows].map((row) => row[at].length)));
  const line = (row) => `| ${row.map((cell, at) => cell.padEnd(widths[at])).join(' | ')} |`;
  return [
    line(head),
    `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`,
    ...rows.map(line),
  ].join('\n');
}
