// #if auth
// #else
//~ import assert from 'node:assert/strict';
//~ import { describe, it } from 'node:test';
//~ import { connect, refusalStatus, startServer } from './support.ts';
//~ import type { TestServer } from './support.ts';
//~
//~ const wait = (milliseconds: number): Promise<void> =>
//~   new Promise((resolve) => setTimeout(resolve, milliseconds));
//~
//~ /** Waits until the server, too, has seen the end of each connection. */
//~ async function isEmpty({ server }: TestServer): Promise<void> {
//~   while (server.connections > 0) await wait(5);
//~ }
//~
//~ describe('identify', () => {
//~   it('may take its time, within the limits of connections', async (t) => {
//~     let letIn: (user: string) => void = () => undefined;
//~     const answer = new Promise<string>((resolve) => {
//~       letIn = resolve;
//~     });
//~     const host = await startServer({ MAX_CONNECTIONS: '1' }, { identify: () => answer });
//~     t.after(() => host.stop());
//~     const waiting = connect(host.port);
//~     while (host.server.connections === 0) await wait(5);
//~     assert.equal(await refusalStatus(host.port), 503);
//~     letIn('ada');
//~     (await waiting).socket.terminate();
//~   });
//~
//~   it('turns down whom it does not know, and everybody while it fails', async (t) => {
//~     const stranger = await startServer({}, { identify: () => Promise.resolve(undefined) });
//~     t.after(() => stranger.stop());
//~     assert.equal(await refusalStatus(stranger.port), 401);
//~     const broken = await startServer(
//~       {},
//~       { identify: () => Promise.reject(new Error('no database')) },
//~     );
//~     t.after(() => broken.stop());
//~     assert.equal(await refusalStatus(broken.port), 500);
//~     await isEmpty(broken);
//~   });
//~
//~   it('does not hold a connection for ever', async (t) => {
//~     const env = { HANDSHAKE_TIMEOUT: '100', DRAIN_TIMEOUT: '0' };
//~     const host = await startServer(env, { identify: () => new Promise(() => undefined) });
//~     t.after(() => host.stop());
//~     await assert.rejects(connect(host.port));
//~     await isEmpty(host);
//~   });
//~ });
// #endif
