import type { Progress, ProgressPart } from '../../core/operation.ts';
import { sectionOf, sectionTitle } from '../../conformance/sections.ts';
import type { CaseResult, FailOn } from '../../conformance/result.ts';
import { isFailure, verdictOf } from '../../conformance/verdict.ts';

interface Section {
  readonly name: string;
  total: number;
  /** Whether each case that is done failed, by agent and id: one that is run again counts once. */
  readonly done: Map<string, boolean>;
}

/** Counts results by section, for whoever watches a run. */
export class SectionProgress {
  readonly #sections = new Map<string, Section>();
  readonly #emit: (progress: Progress) => void;
  readonly #failOn: FailOn;

  /** `caseIds` are those that will be run, once for each agent. */
  constructor(caseIds: readonly string[], failOn: FailOn, emit: (progress: Progress) => void) {
    this.#failOn = failOn;
    this.#emit = emit;
    for (const id of caseIds) this.#sectionOf(id).total++;
  }

  /** Counts a result and tells how far the run is. */
  add(result: CaseResult): void {
    const section = this.#sectionOf(result.id);
    const failed = isFailure(verdictOf(result), this.#failOn);
    section.done.set(JSON.stringify([result.agent, result.id]), failed);
    const parts = [...this.#sections.values()].map(toPart);
    this.#emit({
      stage: section.name,
      done: sum(parts.map(({ done }) => done)),
      total: sum(parts.map(({ total }) => total)),
      parts,
    });
  }

  #sectionOf(id: string): Section {
    const key = sectionOf(id);
    const known = this.#sections.get(key);
    if (known !== undefined) return known;
    const section = { name: sectionTitle(key), total: 0, done: new Map<string, boolean>() };
    this.#sections.set(key, section);
    return section;
  }
}

/** With several agents there are more results than cases: the total grows along. */
function toPart({ name, total, done }: Section): ProgressPart {
  const failed = [...done.values()].filter(Boolean).length;
  return { name, done: done.size, total: Math.max(total, done.size), failed };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
