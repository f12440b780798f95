import type { ToolCall } from '../../../core/calls.ts';

/**
 * A client of MCP over WebSocket, with the handshake of 2025-11-25: it calls a tool, or pings where none is
 * named, as a tool of somebody's server may do anything. Its arguments may hold variables.
 */
export function mcpScenario(tool?: ToolCall): string {
  const method = tool === undefined ? 'ping' : 'tools/call';
  // JSON is YAML, too.
  const params = JSON.stringify(tool ?? {});
  return String.raw`# MCP over WebSocket: initialize, then one call after the other.
name: mcp

clients:
  - name: client
    steps:
      - connect: { subprotocol: mcp }
      - send:
          json:
            jsonrpc: '2.0'
            id: 0
            method: initialize
            params:
              protocolVersion: '2025-11-25'
              capabilities: {}
              clientInfo: { name: benchmark, version: '1' }
      - expect:
          json: { id: 0 }
          check: { exists: result.protocolVersion }
          label: initialize
      - send: { json: { jsonrpc: '2.0', method: notifications/initialized } }
      - loop:
          forever: true
          every: 1s
          steps:
            - send: { json: { jsonrpc: '2.0', id: '{{pass}}', method: ${method}, params: ${params} } }
            - expect:
                json: { id: '{{pass}}' }
                absent: method
                check: { exists: result, regex: '^(?![^]*"isError"\s*:\s*true)' }
                label: ${method}
    on:
      - name: ping of the server
        json: { method: ping }
        exists: id
        capture: { asked: $.id }
        answer: { json: { jsonrpc: '2.0', id: '{{asked}}', result: {} } }
      - { name: notification, exists: method, absent: id }
`;
}
