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

  it('says what a chat makes of a large payload', () => {
    const large = answers({ type: 'chat', maxPayload: 65_537 });
    expect(notesOn(large, changed, WRITTEN)).toEqual([
      '--max-payload 65537: a chat server refuses messages above 65536 bytes',
    ]);
    expect(notesOn(answers({ maxPayload: 65_537 }), changed, WRITTEN)).toEqual([]);
  });

  it.each(['echo', 'chat'])('says nothing of the defaults of an %s server', (type) => {
    expect(notesOn(answers({ type }), changed, WRITTEN)).toEqual([]);
  });

  it('says that a server in Go keeps no context, whatever was asked for', () => {
    const keeping = answers({ language: 'Go', serverNoContextTakeover: false });
    expect(notesOn(keeping, changed, WRITTEN)).toEqual([
      'a server in go compresses each message on its own all the same',
    ]);
    for (const language of ['Node.js', 'Python']) {
      const kept = answers({ language, serverNoContextTakeover: false });
      expect(notesOn(kept, changed, WRITTEN)).toEqual([]);
    }
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
