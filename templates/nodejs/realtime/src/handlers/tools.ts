import { z } from 'zod';
import type { Define } from '../mcp-servers.ts';
import { note, NOTE_URI } from './resources.ts';

/**
 * What a model may call. Its client is told the message of what a tool throws: throw what it may read.
 * `client` is who calls; the second parameter of a function has `mcpReq.signal`, aborted when the call is cancelled.
 */
export const tools: Define = (server, { client, resourceUpdated }) => {
  server.registerTool(
    'write-note',
    {
      title: 'Write the note',
      description: 'Replaces the text of the note that all clients share.',
      inputSchema: z.strictObject({ text: z.string().max(10_000) }),
      outputSchema: z.object({ length: z.int() }),
    },
    ({ text }) => {
      note.text = text;
      note.author = client.identity?.user ?? 'somebody';
      resourceUpdated(NOTE_URI);
      return {
        content: [{ type: 'text', text: `The note has ${String(text.length)} characters.` }],
        structuredContent: { length: text.length },
      };
    },
  );
};
