import { describe, expect, it } from 'vitest';
import { resolveAnswers } from '../../../../src/generate/answers.ts';
import type { Answers } from '../../../../src/generate/answers.ts';
import { nextCommands, notesOn } from '../../../../src/operations/generate-server/notes.ts';
import { GenerateServerInput } from '../../../../src/operations/generate-server/schema.ts';

const PLAN = { root: '/x', files: [], orphans: [] };
const WRITTEN = { hasWritten: true, isInterrupted: false, force: false };

function answers(input: object, form: Answers['form'] = 'project'): Answers {
  return resolveAnswers(GenerateServerInput.parse(input), { form, baseName: 'x' });
}

describe('notesOn', () => {
  const changed = { ...PLAN, files: [created()] };

  it('is honest about subprotocols: a name is no protocol', () => {
    const notes = notesOn(answers({ subprotocols: ['graphql-ws'] }), changed, WRITTEN);
    expect(notes.join('\n')).toMatch(/graphql-ws: negotiated by name only/);
  });

  it('warns of a payload that is much for a chat, and not for an echo', () => {
    const much = /--max-payload 104857600 is large for a chat/;
    expect(notesOn(answers({ type: 'chat' }), changed, WRITTEN).join('\n')).toMatch(much);
    expect(notesOn(answers({ type: 'echo' }), changed, WRITTEN).join('\n')).not.toMatch(much);
    const small = answers({ type: 'chat', maxPayload: 65_536, compression: 'none' });
    expect(notesOn(small, changed, WRITTEN)).toEqual([]);
  });

  it('tells what compression costs', () => {
    const notes = notesOn(answers({ type: 'echo' }), changed, WRITTEN);
    expect(notes.join('\n')).toMatch(/120 KiB of memory per connection/);
  });

  it('names files that were edited and are no longer generated', () => {
    const plan = { ...changed, orphans: ['src/rooms.ts'] };
    const notes = notesOn(answers({ compression: 'none' }), plan, WRITTEN);
    expect(notes.join('\n')).toMatch(/src\/rooms\.ts .* is not removed/);
  });
});

describe('nextCommands', () => {
  it.each([
    ['chat-server/', 'cd chat-server/'],
    ['my server', "cd 'my server'"],
    ["it's", "cd 'it'\\''s'"],
    ['-x', 'cd ./-x'],
    ['$(reboot)', "cd '$(reboot)'"],
  ])('quotes %s for a shell', (given, command) => {
    expect(nextCommands(answers({}), given)).toEqual([command, 'npm install', 'npm start']);
  });

  it('runs a single file at once', () => {
    expect(nextCommands(answers({}, 'file'), 'a/echo.js')).toEqual(['node a/echo.js']);
    expect(nextCommands(answers({}, 'file'), '--eval.js')).toEqual(['node ./--eval.js']);
  });
});

function created() {
  return { path: 'a', bytes: 1, change: 'create', content: Buffer.of(1) } as const;
}
