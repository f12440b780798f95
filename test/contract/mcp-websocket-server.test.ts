import { describe, expect, it } from 'vitest';
import { checkInputs, process } from '../../processes/mcp-websocket-server.ts';
import { fakeContext, passing } from '../support/process-context.ts';

describe('the process of an MCP server', () => {
  it('generates, validates the handshake, tests and measures: four tasks, nothing else', async () => {
    const { ctx, requests } = fakeContext(passing);
    const outputs = await process({ features: 'auth' }, ctx);
    expect(outputs).toMatchObject({
      success: true,
      projectName: 'mcp-websocket-server',
      metadata: {
        processId: 'specializations/network-programming/mcp-websocket-server',
        approved: null,
      },
    });
    expect(requests.map(([id]) => id)).toEqual([
      'websocket/generate-server',
      'websocket/validate-handshake',
      'websocket/test',
      'websocket/benchmark',
    ]);
    expect(requests[0]?.[1]).toMatchObject({
      ...{ language: 'nodejs', type: 'mcp', features: ['auth'], name: 'mcp-websocket-server' },
    });
    const project = '/out/websocket/generate-server';
    // A project of the type is held to the contract, and measured by the scenario, of MCP.
    expect(requests[2]?.[1]).toEqual({ project, ownTests: true });
    expect(requests[3]?.[1]).toMatchObject({ project });
  });

  it.each(['websocket/validate-handshake', 'websocket/test', 'websocket/benchmark'])(
    'is unsuccessful when %s is',
    async (failing) => {
      const { ctx } = fakeContext((id) => ({ success: id !== failing }));
      expect(await process({}, ctx)).toMatchObject({ success: false });
    },
  );

  it('has tools written and approved before anything is started', async () => {
    const { ctx, requests } = fakeContext(passing);
    const inputs = { customHandlers: 'a tool that counts words', benchmark: false };
    await process(inputs, ctx);
    expect(requests.map(([id]) => id)).toEqual([
      'websocket/generate-server',
      'websocket/custom-handlers',
      'websocket/validate-handshake',
      'websocket/test',
    ]);
  });

  it.each([
    [{ type: 'chat' }, /unknown input "type"|type/],
    [{ language: 'go' }, /language/],
    [{ features: ['rooms'] }, /an mcp server has no feature rooms/],
    [{ features: ['redis'] }, /an mcp server has no feature redis/],
    [{ autobahn: true }, /autobahn/],
    [{ benchmark: { connections: 0 } }, /benchmark/],
    [null, /expected an object/],
  ])('refuses %j before a run exists', (inputs, message) => {
    expect(() => checkInputs(inputs)).toThrow(message);
  });
});
