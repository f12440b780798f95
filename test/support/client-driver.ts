import { execFileSync } from 'node:child_process';
import type { ClientType } from '../../src/generate/client.ts';
import type { ClientLanguageName } from '../../src/generate/languages/index.ts';
import { readClient } from '../../src/target/project/index.ts';
import { compile, linkInstalled } from '../templates/generated.ts';
import { generateClientIn } from './generate-client.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** Generates a client with everything and builds it; its folder. */
export async function builtClient(
  type: ClientType,
  cwd = temporaryFolder(),
  language: ClientLanguageName = 'typescript',
): Promise<string> {
  const features = type === 'chat' ? (['presence', 'auth'] as const) : (['auth'] as const);
  const input = { type, language, features: [...features] };
  const { output } = await generateClientIn(cwd, input);
  buildClient(output);
  return output;
}

/** Builds a client in a folder again. */
export function buildClient(folder: string): void {
  const { language, commands } = readClient(folder).manifest;
  const [program, ...args] = commands.build ?? [];
  if (language === 'typescript') {
    linkInstalled(folder, language);
    compile(folder);
  } else if (language === 'python') {
    linkInstalled(folder, language);
  } else if (program !== undefined) execFileSync(program, args, { cwd: folder, stdio: 'pipe' });
}
