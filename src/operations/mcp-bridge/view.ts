import type { View } from '../../core/operation.ts';
import type { McpBridgeReport } from './schema.ts';

/** Lays out the report of `mcp-bridge`; with --url standard output belongs to the messages. */
export function viewMcpBridge(report: McpBridgeReport): View | undefined {
  const { direction, url, sessions, resumed, refused, durationMs } = report;
  if (direction === 'url') return undefined;
  return {
    title: `mcp-bridge ${url}`,
    facts: [
      ['sessions', String(sessions)],
      ['resumed', String(resumed)],
      ['refused', String(refused)],
      ['duration', `${(durationMs / 1000).toFixed(1)} s`],
    ],
  };
}
