import type { Define } from '../mcp-servers.ts';

export const NOTE_URI = 'note://shared';

/** In the memory of this process, for all clients. */
export const note = { text: '', author: 'nobody' };

/** What clients may read, and subscribe to: call `resourceUpdated` of the context after each change. */
export const resources: Define = (server) => {
  server.registerResource(
    'note',
    NOTE_URI,
    {
      title: 'The note',
      description: 'A note that all clients share; the tool write-note changes it.',
      mimeType: 'text/plain',
    },
    ({ href }) => ({ contents: [{ uri: href, mimeType: 'text/plain', text: note.text }] }),
  );
};
