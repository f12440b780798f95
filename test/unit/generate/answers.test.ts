import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { protocolsOf, resolveAnswers, tokensOf } from '../../../src/generate/answers.ts';
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
    ['chat', ['presence'], ['rooms', 'presence'], ['presence needs rooms, which was added']],
    ['chat', ['history', 'rooms'], ['rooms', 'history'], []],
    [
      'chat',
      ['presence', 'history'],
      ['rooms', 'presence', 'history'],
      ['presence needs rooms, which was added'],
    ],
  ])('adds to a %s server with %j what that needs', (type, features, all, notes) => {
    expect(answers({ type, features })).toMatchObject({ features: all, notes });
  });

  it.each([
    ['echo', ['rooms'], 'an echo server has no feature rooms', 'use --type chat'],
    [
      'echo',
      ['auth'],
      'an echo server has no feature auth',
      'use --type chat or pubsub or live-updates or collab or rpc or mcp',
    ],
    [
      'pubsub',
      ['history', 'rooms'],
      'a pubsub server has no feature rooms: its topics are its rooms',
      'leave rooms out, or use --type chat',
    ],
    [
      'live-updates',
      ['history'],
      'a live-updates server has no feature history: each document has its own watchers and patches',
      'leave history out, or use --type chat or pubsub',
    ],
  ])('says what to change about a %s server with %j', (type, features, message, hint) => {
    const error = usageError({ type, features });
    expect(error.code).toBe('WSK_ERR_INVALID_INPUT');
    expect([error.message, error.hint]).toEqual([message, hint]);
  });

  it('does not depend on the order or repetition of features', () => {
    const features = ['history', 'rooms', 'history'];
    expect(answers({ type: 'chat', features }).features).toEqual(['rooms', 'history']);
  });

  it.each(['echo', 'chat'])('takes the common features of a server of type %s', (type) => {
    const features = ['ping-pong', 'compression'];
    expect(answers({ type, features })).toEqual(answers({ type }));
  });

  it('speaks protocols by the names of their features, and json-rpc where none is named', () => {
    const chat = answers({ type: 'chat', subprotocols: ['json-rpc', 'x'] });
    expect(protocolsOf(chat)).toEqual(['json-rpc']);
    expect(tokensOf(chat)).toEqual(['json-rpc', 'x', 'chat.v1']);
    expect(answers({ type: 'rpc', subprotocols: ['x'] }).subprotocols).toEqual(['x', 'json-rpc']);
  });

  it.each([
    [{ type: 'live-updates' }, 'a live-updates server in nodejs does not speak json-rpc'],
    [{ type: 'collab' }, 'a collab server in nodejs does not speak json-rpc'],
    [
      { type: 'live-updates', language: 'go' },
      'a live-updates server in go does not speak json-rpc',
    ],
    [
      { type: 'live-updates', language: 'python' },
      'a live-updates server in python does not speak json-rpc',
    ],
  ])('says who speaks a protocol that %j does not', (input, message) => {
    const refused = (): unknown => answers({ ...input, subprotocols: ['json-rpc'] });
    expect(refused).toThrow(
      `${message}; these do: chat in nodejs, pubsub in nodejs, rpc in nodejs`,
    );
  });

  it('has MCP servers that speak MCP alone, and in Node.js alone', () => {
    const mcp = answers({ type: 'mcp', subprotocols: ['x'] });
    expect([protocolsOf(mcp), tokensOf(mcp)]).toEqual([['mcp'], ['x', 'mcp']]);
    for (const language of ['go', 'python']) {
      const { message, hint } = usageError({ type: 'mcp', language });
      expect(message).toBe(`there is no mcp server in ${language}`);
      expect(hint).toMatch(/^use --language nodejs, or --type echo or chat/);
    }
    const other = usageError({ type: 'mcp', subprotocols: ['json-rpc'] });
    expect(other.message).toMatch(/^an mcp server in nodejs does not speak json-rpc/);
    const redis = usageError({ type: 'mcp', features: ['redis'] });
    expect(redis.message).toBe(
      'an mcp server has no feature redis: each client has a server of its own',
    );
    const chat = usageError({ type: 'chat', subprotocols: ['mcp'] });
    expect(chat.message).toMatch(/these do: mcp in nodejs$/);
  });

  it('leaves names to an echo server, which gives back whatever is said', () => {
    const echo = answers({ type: 'echo', subprotocols: ['json-rpc'] });
    expect([protocolsOf(echo), tokensOf(echo)]).toEqual([[], ['json-rpc']]);
  });

  it('speaks the subprotocol of its type besides those that were chosen', () => {
    expect(answers({ type: 'echo' }).subprotocols).toEqual([]);
    expect(answers({ type: 'chat' }).subprotocols).toEqual(['chat.v1']);
    const subprotocols = ['chat.v1', 'v2', 'v2'];
    expect(answers({ type: 'chat', subprotocols }).subprotocols).toEqual(['chat.v1', 'v2']);
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

  it('leaves absent what is not given for an update, whose project has its answers', () => {
    const settings = Settings.parse({ defaultPort: 9000, compression: { enabled: false } });
    const given = { update: 'chat', pingInterval: 500, features: ['compression'] };
    const options = { force: false, dryRun: false, diff: false };
    const input = resolveInput(operation, given, settings);
    expect(input).toEqual({ ...given, ...options, compression: 'permessage-deflate' });
  });

  it.each([
    [{ language: 'cobol' }, 'language is "cobol", expected one of nodejs'],
    [{ compression: 'gzip' }, 'compression is "gzip", expected one of permessage-deflate, none'],
    [{ features: ['ping-pong', 'sso'] }, 'features holds "sso", expected one of rooms'],
  ])('names what is not built in %j', (args, message) => {
    expect(() => resolveInput(operation, args, Settings.parse({}))).toThrow(message);
  });

  it('takes the name Node.js', () => {
    expect(answers({ language: 'Node.js' }).language).toBe('nodejs');
    expect(answers({ language: 'Python' }).language).toBe('python');
  });

  it('says which language has a server that another lacks', () => {
    const refused = (): unknown => answers({ language: 'python', type: 'collab' });
    expect(refused).toThrow('there is no collab server in python');
    const hint = expect.stringContaining('use --language nodejs, or --type echo') as string;
    expect(refused).toThrow(expect.objectContaining({ hint }));
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
