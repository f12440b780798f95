import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { resolveAnswers } from '../../../src/generate/answers.ts';
import type { Answers } from '../../../src/generate/answers.ts';
import { Settings } from '../../../src/core/settings.ts';
import { resolveInput } from '../../../src/core/derive/input.ts';
import { operation } from '../../../src/operations/generate-server/operation.ts';
import { GenerateServerInput } from '../../../src/operations/generate-server/schema.ts';

function answers(input: object, baseName = 'server'): Answers {
  return resolveAnswers(GenerateServerInput.parse(input), { form: 'project', baseName });
}

function usageError(input: object): UsageError {
  try {
    answers(input);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('no error');
}

describe('resolveAnswers', () => {
  it.each([
    [['presence'], 'presence needs rooms', 'use --features rooms,presence'],
    [['history'], 'history needs rooms', 'use --features rooms,history'],
    [
      ['presence', 'history'],
      'presence and history need rooms',
      'use --features rooms,presence,history',
    ],
  ])('says what to add to %j', (features, message, hint) => {
    const error = usageError({ type: 'chat', features });
    expect(error.code).toBe('WSK_ERR_INVALID_INPUT');
    expect(error.message).toBe(message);
    expect(error.hint).toBe(hint);
  });

  it('says that an echo server has no features', () => {
    const error = usageError({ type: 'echo', features: ['rooms'] });
    expect(error.message).toBe('an echo server has no feature rooms');
    expect(error.hint).toBe('use --type chat');
  });

  it('does not depend on the order or repetition of features', () => {
    const features = ['history', 'rooms', 'history'];
    expect(answers({ type: 'chat', features }).features).toEqual(['rooms', 'history']);
  });

  it.each(['echo', 'chat'])('takes the common features of a server of type %s', (type) => {
    const features = ['ping-pong', 'compression'];
    expect(answers({ type, features })).toEqual(answers({ type }));
  });

  it.each([
    [true, 'permessage-deflate'],
    [false, 'none'],
  ])('takes compression %j as %s', (compression, expected) => {
    expect(answers({ compression }).compression).toBe(expected);
  });

  it('refuses the feature compression beside no compression', () => {
    const error = usageError({ features: ['compression'], compression: false });
    expect(error.message).toBe('the feature compression contradicts the compression none');
  });

  it('turns compression on for the feature, whatever the settings say', () => {
    const settings = Settings.parse({ compression: { enabled: false } });
    const resolve = (args: object) => resolveInput(operation, { ...args }, settings).compression;
    expect(resolve({})).toBe('none');
    expect(resolve({ features: ['ping-pong'] })).toBe('none');
    expect(resolve({ features: ['compression'] })).toBe('permessage-deflate');
  });

  it.each([
    [{ language: 'cobol' }, 'language is "cobol", expected one of nodejs'],
    [{ compression: 'gzip' }, 'compression is "gzip", expected one of permessage-deflate, none'],
    [{ features: ['ping-pong', 'auth'] }, 'features holds "auth", expected one of rooms'],
  ])('names what is not built in %j', (args, message) => {
    expect(() => resolveInput(operation, args, Settings.parse({}))).toThrow(message);
  });

  it('takes the name Node.js', () => {
    expect(answers({ language: 'Node.js' }).language).toBe('nodejs');
  });

  it.each([
    ['chat-server', 'chat-server'],
    ['Chat Server!', 'chat-server-'],
    ['echo-server.js', 'echo-server'],
    ['.hidden', 'hidden'],
    ['日本', 'websocket-server'],
    ['x'.repeat(300), 'x'.repeat(214)],
    ['node_modules', 'websocket-server'],
    ['--force', 'force'],
    ['$(reboot)\n`x`', 'reboot-x-'],
  ])('makes a package name of the output %s', (baseName, name) => {
    expect(answers({}, baseName).name).toBe(name);
  });

  it('takes the given name', () => {
    expect(answers({ name: 'mine' }).name).toBe('mine');
  });
});

describe('GenerateServerInput', () => {
  it.each([
    ['an empty feature', { features: ['rooms', ''] }],
    ['an unknown feature', { features: ['room'] }],
    ['an unknown type', { type: 'ehco' }],
    ['an unknown language', { language: 'node' }],
    ['port 0', { port: 0 }],
    ['port 70000', { port: 70_000 }],
    ['a port that is no number', { port: 'abc' }],
    ['a negative payload', { maxPayload: -1 }],
    ['a payload beyond 2 GiB', { maxPayload: 2 ** 31 }],
    ['a subprotocol that is no token', { subprotocols: ['a b'] }],
    ['a name that is no package name', { name: 'A/B' }],
    ['a name that npm refuses', { name: 'node_modules' }],
    ['a name that is a flag', { name: '--force' }],
    ['a name that is a path', { name: '../x' }],
    ['a name with a line after it', { name: 'a\nb' }],
    ['an empty output', { output: '' }],
    ['an unknown key', { prot: 1 }],
  ])('refuses %s', (_, input) => {
    expect(GenerateServerInput.safeParse(input).success).toBe(false);
  });
});
