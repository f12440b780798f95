import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { readProject } from '../../src/target/project/index.ts';
import { runContractRows } from '../support/contract-rows.ts';
import type { Boot, Check, Kind } from './check.ts';
import { build, soonWithin, start } from './generated.ts';
import type { GeneratedServer } from './generated.ts';

/** A generated server without one of its guards: what to take out, and who has to notice. */
export interface Mutant {
  readonly without: string;
  readonly file: string;
  readonly find: string | RegExp;
  readonly replace: string;
  /** A check of `test/templates/`. */
  readonly check?: string;
  /** A row of the contract. */
  readonly row?: string;
  /** One of the project's own test files: `log` is `test/log.test.ts`. */
  readonly ownTest?: string;
}

/** Calls `use` with a copy of a built server, and with its folder, that lacks a guard. */
export async function withMutant(
  { folder: intact, project }: GeneratedServer,
  { file, find, replace }: Mutant,
  use: (project: string, folder: string) => Promise<void>,
): Promise<void> {
  const folder = `${intact}-mutant`;
  try {
    cpSync(intact, folder, { recursive: true, verbatimSymlinks: true });
    const source = readFileSync(path.join(folder, file), 'utf8');
    if (typeof find === 'string') expect(source.split(find)).toHaveLength(2);
    const mutated = source.replace(find, replace);
    expect(mutated).not.toBe(source);
    writeFileSync(path.join(folder, file), mutated);
    const copy = path.join(folder, path.relative(intact, project));
    const { manifest } = await readProject(copy);
    // Of a Node server, what was compiled is changed.
    if (manifest.language !== 'nodejs') build(folder, manifest);
    await use(copy, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What mutants are held to. */
export interface Trial {
  readonly checks: Readonly<Record<string, Check>>;
  readonly kind: Kind;
  /** Bounds waits for what comes at once, unless the guard for it is missing. */
  readonly soonMs: number;
}

/** Expects the check or the row of a mutant to notice that its guard is missing. */
export async function expectCaught(
  intact: GeneratedServer,
  mutant: Mutant,
  { checks, kind, soonMs }: Trial,
): Promise<void> {
  const { row, check = '' } = mutant;
  await withMutant(intact, mutant, async (project) => {
    if (row !== undefined) {
      const [result] = await runContractRows(project, [row], soonMs);
      expect(result).toMatchObject({ verdict: 'fail' });
      return;
    }
    const run = checks[check];
    if (run === undefined) throw new Error(`there is no check ${check}`);
    const boot: Boot = (env) => start(project, env);
    await expect(run({ boot, kind, soon: soonWithin(soonMs) })).rejects.toThrow();
  });
}

/**
 * A server whose method that delivers is at fault: every tenth call does nothing, is made twice, or comes after
 * the next one. `head` is the start of the method as it was compiled, `again` calls it with its arguments.
 */
export function deliveryMutants(
  where: { readonly file: string; readonly head: string; readonly again: string },
  rows: readonly string[],
): readonly Mutant[] {
  const { file, head, again } = where;
  const count = 'this.calls = (this.calls ?? 0) + 1; const isTenth = this.calls % 10 === 0;';
  const faults = {
    'every tenth': 'if (isTenth) return;',
    'once only': `if (isTenth && !this.isAgain) { this.isAgain = true; ${again}; this.isAgain = false; }`,
    'its order':
      `if (isTenth) { this.late = () => ${again}; return; }` +
      'const { late } = this; this.late = undefined; if (late !== undefined) setImmediate(late);',
  };
  return rows.flatMap((row) =>
    Object.entries(faults).map(([without, code]) => ({
      without: `${without}: ${row}`,
      ...{ file, find: head, replace: `${head} ${count} ${code}`, row },
    })),
  );
}

/**
 * A server whose live messages hold a wrong offset from the second on: twice the right one, or one too many.
 * `find` is code that uses `entry`, which has the offset.
 */
export function offsetMutants(
  where: { readonly file: string; readonly find: string; readonly entry: string },
  row: string,
): readonly Mutant[] {
  const { file, find, entry } = where;
  return ['offset', '1'].map((more) => {
    const wrong = `{ ...${entry}, offset: offset + (offset > 1 ? ${more} : 0) }`;
    return {
      without: `the right offsets, ${more} too many: ${row}`,
      ...{ file, find, row },
      replace: find.replace(entry, `(({ offset }) => (${wrong}))(${entry})`),
    };
  });
}

/** A server whose messages hold a wrong time: of long ago, an hour ago, or of its first message. */
export function timeMutants(file: string): readonly Mutant[] {
  const times = {
    'the right year': "'2020-01-01T00:00:00.000Z'",
    'the right hour': 'new Date(Date.now() - 3_600_000).toISOString()',
    'a clock that moves': '(globalThis.startedAt ??= new Date().toISOString())',
  };
  return Object.entries(times).map(([without, time]) => ({
    without,
    ...{
      file,
      find: 'new Date(this.#context.now()).toISOString()',
      replace: time,
      row: 'common.event.at',
    },
  }));
}
