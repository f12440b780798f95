import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { invalidInput } from './errors.ts';

/** What a shell knows itself. */
const BUILT_IN: ReadonlySet<string> = new Set(
  '. : [ cd exec eval export set source test'.split(' '),
);

/** Throws `UsageError` if the program of `command`, the value of `flag`, does not exist. */
export function requireProgram(flag: string, command: string, cwd: string): void {
  const missing = missingProgram(command, cwd);
  if (missing === undefined) return;
  throw invalidInput(
    `${flag} begins with ${JSON.stringify(missing)}, which is no program here`,
    'give it with its path, or look at PATH',
  );
}

/**
 * The program of a command that does not exist, as far as that can be told without a shell;
 * undefined where it is there.
 */
export function missingProgram(command: string, cwd: string): string | undefined {
  if (process.platform === 'win32') return undefined;
  const words =
    /^\s*(?:[A-Za-z_]\w*=(?:"[^"]*"|'[^']*'|[^\s"'])*\s+)*(?:"([^"$`\\]+)"|'([^']+)'|([\w./@%+:,=~-]+))(?=\s|$|[;&|])/;
  const found = words.exec(command);
  const program = found?.[1] ?? found?.[2] ?? found?.[3];
  if (program === undefined || program.startsWith('~') || BUILT_IN.has(program)) return undefined;
  const folders = program.includes('/') ? [''] : (process.env['PATH'] ?? '').split(path.delimiter);
  return folders.some((folder) => isProgram(path.resolve(cwd, folder, program)))
    ? undefined
    : program;
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
