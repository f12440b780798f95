import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parseScenario } from '../../../../src/load/scenario/index.ts';
import { STEP_NAMES } from '../../../../src/load/scenario/parse/read-steps.ts';
import { BUILT_IN_VARIABLES } from '../../../../src/load/scenario/parse/read-variables.ts';
import { MatcherShape, VariableShape } from '../../../../src/load/scenario/parse/shapes.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const REFERENCE = readFileSync(
  fileURLToPath(new URL('../../../../skills/websocket/references/scenarios.md', import.meta.url)),
  'utf8',
);

it('has examples that can be read', () => {
  const folder = temporaryFolder();
  writeFileSync(path.join(folder, 'users.csv'), 'name,password\nada,secret\n');
  const examples = [...REFERENCE.matchAll(/^```yaml\n(.*?)^```/gms)].map((match) => match[1] ?? '');
  expect(examples).not.toEqual([]);
  for (const text of examples) parseScenario(text, path.join(folder, 'example.yaml'));
});

it('tells every step, condition, source and variable', () => {
  const words = [
    ...STEP_NAMES,
    ...Object.keys(MatcherShape.shape),
    ...Object.keys(VariableShape.shape),
    ...BUILT_IN_VARIABLES,
  ];
  const missing = words.filter((word) => !new RegExp(`\\b${word}\\b`).test(REFERENCE));
  expect(missing).toEqual([]);
});
