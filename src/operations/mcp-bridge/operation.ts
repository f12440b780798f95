import { defineOperation } from '../../core/operation.ts';
import { mcpBridge } from './mcp-bridge.ts';
import { McpBridgeInput, McpBridgeReport } from './schema.ts';
import { viewMcpBridge } from './view.ts';

/** `websocket-skill mcp-bridge`. */
export const operation = defineOperation({
  examples: [
    'mcp-bridge --stdio "npx -y @modelcontextprotocol/server-everything" --port 8000',
    'mcp-bridge --stdio "node server.js" --host 0.0.0.0 --token-file tokens.txt --max-clients 20',
    'mcp-bridge --url wss://mcp.example.com/message --token-file token.txt',
  ],
  input: McpBridgeInput,
  output: McpBridgeReport,
  view: viewMcpBridge,
  run: mcpBridge,
});
