import { UsageError } from '../../core/errors.ts';
import type { CaseDefinition, Script } from '../../conformance/case.ts';

/** Messages of a case of sections 12 and 13 in a quick run. */
const QUICK_ROUNDS = 20;

export interface Selection {
  readonly cases: readonly string[];
  readonly exclude: readonly string[];
}

/**
 * The cases that `cases` names and `exclude` does not, in the order of `all`.
 *
 * Patterns are those of Autobahn: `*` stands for anything, and the end is open (`7.1*` is 7.13.1,
 * too); an id without `*` is that case. Throws UsageError WSK_ERR_INVALID_INPUT for a pattern that
 * names nothing.
 */
export function selectCases(
  all: readonly CaseDefinition[],
  { cases, exclude }: Selection,
): CaseDefinition[] {
  const wanted = cases.length === 0 ? ['*'] : cases;
  for (const pattern of [...wanted, ...exclude]) {
    if (all.some(({ id }) => matches(pattern, id))) continue;
    throw new UsageError('WSK_ERR_INVALID_INPUT', `no case has an id like "${pattern}"`, {
      hint: 'ids are those of Autobahn, as 1.1.1; patterns look like 1.* or 7.1.*',
    });
  }
  return all.filter(
    ({ id }) =>
      wanted.some((pattern) => matches(pattern, id)) &&
      !exclude.some((pattern) => matches(pattern, id)),
  );
}

function matches(pattern: string, id: string): boolean {
  if (!pattern.includes('*')) return pattern === id;
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}`).test(id);
}

/** The case with fewer messages, if it is one with many. */
export function quicken(definition: CaseDefinition): CaseDefinition {
  const { script } = definition;
  if (script.kind !== 'compression') return definition;
  const quick: Script = { ...script, rounds: QUICK_ROUNDS };
  return {
    ...definition,
    title: definition.title.replace(/^\d+/, `${QUICK_ROUNDS} (quick)`),
    description: definition.description.replace(String(script.rounds), String(QUICK_ROUNDS)),
    script: quick,
  };
}
