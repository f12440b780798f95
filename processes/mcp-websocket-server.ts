/**
 * @process specializations/network-programming/mcp-websocket-server
 * @description Generate an MCP server over WebSocket, check its opening handshake, hold it to the contract of MCP, run its own tests, and measure calls of its tool, with an optional agent step for tools of your own and an optional review.
 * @inputs { projectName?: string, features?: string[], outputDir?: string, port?: number, compression?: string, messages?: number, force?: boolean, benchmark?: boolean | object, customHandlers?: string, review?: boolean }
 * @outputs { success: boolean, projectName: string, serverConfig: object, implementation: object, testResults: object, compliance: object, performance: object | null, artifacts: array, duration: number, metadata: object }
 * @example
 * websocket-skill run mcp-websocket-server --inputs inputs.json
 * // inputs.json: { "projectName": "notes", "features": ["auth"], "customHandlers": "a tool that counts words" }
 * @skill websocket ../skills/websocket/SKILL.md
 */

import type * as z from 'zod';
import * as given from './inputs.ts';
import type * as steps from './steps.ts';
import * as websocketServer from './websocket-server.ts';

/** Inputs of the process; everything has a default. The language is nodejs. */
export const McpServerInputs = websocketServer.WebsocketServerInputs.omit({
  language: true,
  type: true,
  subprotocols: true,
  autobahn: true,
});
export type McpServerInputs = z.input<typeof McpServerInputs>;

const NAME = 'mcp-websocket-server';

/** Generates an MCP server, has it extended and reviewed where asked for, tests and measures it. */
export async function process(
  request: McpServerInputs = {},
  ctx: steps.Context,
  host: { readonly startedAt?: string } = {},
): Promise<websocketServer.WebsocketServerOutputs> {
  const outputs = await websocketServer.process(checkInputs(request), ctx, host);
  const processId = `specializations/network-programming/${NAME}`;
  return { ...outputs, metadata: { ...outputs.metadata, processId } };
}

/**
 * Checks inputs of the process; `websocket-skill run` does so before it creates a run.
 *
 * @throws UsageError naming the input that is unknown or wrong
 */
export function checkInputs(inputs: unknown): websocketServer.WebsocketServerInputs {
  given.check(McpServerInputs, inputs, { benchmark: given.BenchmarkChoices });
  const {
    projectName = NAME,
    features = [],
    benchmark = true,
    ...others
  } = inputs as McpServerInputs;
  const all = { ...others, projectName, features, benchmark, type: 'mcp' } as const;
  websocketServer.checkInputs(all);
  return all;
}
