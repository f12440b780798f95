/**
 * Names the file of one case as Autobahn|Testsuite does: `ws_plain_case_1_1_1.json`.
 *
 * The agent is lower-cased, and what is not a-z or 0-9 becomes `_`, except at its ends. Only these
 * characters can therefore come from a peer into a file name.
 */
export function caseFileName(agent: string, caseId: string): string {
  const name = agent
    .toLowerCase()
    .replace(/[^a-z0-9]/g, ' ')
    .trim()
    .replaceAll(' ', '_');
  return `${name}_case_${caseId.replace(/[^A-Za-z0-9]/g, '_')}.json`;
}
