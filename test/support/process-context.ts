import type { process as websocketServer } from '../../processes/websocket-server.ts';

type Context = Parameters<typeof websocketServer>[1];

/** A context that answers each task with what `answer` says, and has neither log nor clock. */
export function fakeContext(answer: (id: string, args: Record<string, unknown>) => unknown) {
  const requests: [string, Record<string, unknown>][] = [];
  const ctx = {
    task: async ({ id }: { id: string }, args: Record<string, unknown>) => {
      requests.push([id, args]);
      return await Promise.resolve(answer(id, args));
    },
    breakpoint: async () => await Promise.resolve(answer('breakpoint', {})),
  } as unknown as Context;
  return { ctx, requests };
}

export const passing = (id: string): unknown => ({ success: true, output: `/out/${id}` });
