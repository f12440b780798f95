import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Those of the files in `root` that are not as their SHA-256 says, by their paths. */
export function changedFiles(root: string, files: Readonly<Record<string, string>>): string[] {
  return Object.entries(files)
    .filter(([path, hash]) => hashOf(join(root, path)) !== hash)
    .map(([path]) => path);
}

function hashOf(path: string): string | undefined {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch {
    return undefined;
  }
}

/** What a generated MCP server has as long as nobody has changed the file: a tool that may be called whenever. */
export const OWN_TOOL = { file: 'src/handlers/tools.ts', known: 'write-note {"text":"wsk"}' };
