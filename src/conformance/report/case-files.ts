import type { ConformanceRun } from '../result.ts';

/** A peer names itself (`Server`), and a file name has its limit. */
const MAX_AGENT_CHARACTERS = 100;

/**
 * Gives each case of a run its file.
 *
 * Two agents whose names differ only in what a file name leaves out (`ws 1` and `ws-1`) would
 * overwrite each other's files in Autobahn; here the second one gets a number.
 */
export class CaseFiles {
  readonly #prefixes = new Map<string, string>();

  constructor(run: ConformanceRun) {
    const taken = new Set<string>();
    for (const { agent } of run.agents) {
      const plain = agentFileName(agent);
      let prefix = plain;
      for (let number = 2; taken.has(prefix); number++) prefix = `${plain}_${number}`;
      taken.add(prefix);
      this.#prefixes.set(agent, prefix);
    }
  }

  /** The name as Autobahn forms it: `ws_plain_case_1_1_1.json`. */
  nameOf(agent: string, caseId: string): string {
    const prefix = this.#prefixes.get(agent) ?? agentFileName(agent);
    return `${prefix}_case_${caseId.replace(/[^A-Za-z0-9-]/g, '_')}.json`;
  }
}

/**
 * Lower-cases the agent and turns what is not a-z or 0-9 into `_`, except at its ends. Only these
 * characters can therefore come from a peer into a file name.
 */
function agentFileName(agent: string): string {
  return agent
    .toLowerCase()
    .replace(/[^a-z0-9]/g, ' ')
    .trim()
    .replaceAll(' ', '_')
    .slice(0, MAX_AGENT_CHARACTERS);
}
