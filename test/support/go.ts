import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { resolveAnswers } from '../../src/generate/answers.ts';
import type { Feature } from '../../src/generate/answers.ts';
import { generate } from '../../src/generate/generate.ts';
import type { ServerType } from '../../src/generate/languages/language.ts';
import { GenerateServerInput } from '../../src/operations/generate-server/schema.ts';
import { program, requirement } from './requirement.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** What the Go is that generated projects are built with. */
const GO = program('go', ['version'], /go1\.(?:2[5-9]|[3-9]\d)/);

/** `describe` for tests that need it. */
export function goRequirement(name: string): ReturnType<typeof requirement> {
  return requirement(name, GO);
}

/** Whether it is there. */
export function hasGo(): boolean {
  return GO() === undefined;
}

/**
 * Expects that servers with each of some sets of features are formatted and without findings. They have one
 * name: what is the same in several of them is looked at once.
 */
export function expectClean(
  type: ServerType,
  sets: readonly (readonly Feature[])[],
  subprotocols: readonly string[] = [],
): void {
  const cwd = temporaryFolder();
  const go = (name: string, folder: string, ...args: string[]): string =>
    execFileSync(name, args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
  const folders = new Set<string>();
  for (const features of sets) {
    const choices = { language: 'go', type, features: [...features], subprotocols };
    const input = GenerateServerInput.parse(choices);
    const answers = resolveAnswers(input, { form: 'project', baseName: 'server' });
    const folder = path.join(cwd, answers.features.join('-') || 'none');
    if (folders.has(folder)) continue;
    folders.add(folder);
    for (const [name, text] of generate(answers).files) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      writeFileSync(path.join(folder, name), text);
    }
  }
  expect(go('gofmt', cwd, '-l', '.')).toBe('');
  for (const folder of folders) go('go', folder, 'vet', './...');
}
