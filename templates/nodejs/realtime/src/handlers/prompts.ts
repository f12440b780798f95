import { z } from 'zod';
import type { Define } from '../mcp-servers.ts';
import { note } from './resources.ts';

/** Messages that a user may begin with. */
export const prompts: Define = (server) => {
  server.registerPrompt(
    'summarize-note',
    {
      title: 'Summarize the note',
      description: 'Asks for a summary of the note that all clients share.',
      argsSchema: z.object({ language: z.string().max(100).optional() }),
    },
    ({ language = 'English' }) => {
      const text = `Summarize this note of ${note.author} in ${language}:\n\n${note.text}`;
      return { messages: [{ role: 'user', content: { type: 'text', text } }] };
    },
  );
};
