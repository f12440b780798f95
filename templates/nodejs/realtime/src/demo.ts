import { readFile } from 'node:fs/promises';
// #if auth
import { z } from 'zod';
// #endif
import type { Config } from './config.ts';
import { checkRate, foreign, isSameHost } from './handshake.ts';
import { problem, refused } from './http.ts';
import type { HttpAnswer, HttpRequest, Route } from './http.ts';
// #if auth
import { readJson } from './http.ts';
import { Name } from './messages.ts';
import { signToken } from './sign-token.ts';
// #endif

/** The folder of the page; this file is in `dist/src/`. */
const PUBLIC = new URL('../../public/', import.meta.url);
// #if collab
/** What the build has made for it: its script with Yjs in it, since a page has no node_modules. */
const BUILT = new URL('../public/', import.meta.url);
// #endif
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
};
const HEADERS = {
  // Nothing of another site, and nothing that somebody wrote into a message, is ever executed.
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
};
/** Milliseconds that the answer to `POST /demo/stop` has to leave. */
const LAST_WORDS_MS = 50;
// #if auth
/** Minutes that a token of the page is good for. */
const TOKEN_MINUTES = 15;
// #endif

/** The page in `public/`; outside production also what it needs to show a restart. */
export function demoRoutes(config: Config): readonly Route[] {
  const page = async (_: HttpRequest, [name = '']: readonly string[]): Promise<HttpAnswer> => {
    const file = name === '' ? 'index.html' : name;
    // #if collab
    const folder = file === 'app.js' ? BUILT : PUBLIC;
    // #else
    //~ const folder = PUBLIC;
    // #endif
    const body = await readFile(new URL(file, folder)).catch(() => undefined);
    if (body === undefined) return problem(404, 'not found');
    const type = TYPES[file.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
    return { status: 200, headers: { ...HEADERS, 'Content-Type': type }, body };
  };
  const routes: Route[] = [
    {
      method: 'GET',
      path: /^\/(|index\.html|app\.js|client\.js|style\.css)$/,
      maxBody: 0,
      answer: page,
    },
  ];
  if (config.NODE_ENV === 'production') return routes;

  // As SIGKILL would: no connection is closed, so clients have to find out by themselves.
  const stop = (request: HttpRequest): HttpAnswer => {
    const refusal = refuseOthers(request, config);
    if (refusal !== undefined) return refusal;
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), LAST_WORDS_MS);
    return { status: 202 };
  };
  routes.push({ method: 'POST', path: /^\/demo\/stop$/, maxBody: 1024, answer: stop });
  // #if auth

  const token = async (request: HttpRequest): Promise<HttpAnswer> => {
    const refusal = refuseOthers(request, config);
    if (refusal !== undefined) return refusal;
    const read = readJson(request, z.object({ user: Name }));
    if ('error' in read) return problem(400, 'expected {"user":"<name>"}');
    const { AUTH_SECRET } = config;
    if (AUTH_SECRET === undefined) return problem(404, 'only who has the private key makes tokens');
    const { user } = read.value;
    const signed = await signToken(config, AUTH_SECRET, { user, minutes: TOKEN_MINUTES });
    return { status: 200, headers: { 'Cache-Control': 'no-store' }, body: { token: signed } };
  };
  routes.push({ method: 'POST', path: /^\/demo\/token$/, maxBody: 1024, answer: token });
  // #endif
  return routes;
}

/** Why `request` is not from the page; a program without an Origin is no page of somebody else. */
function refuseOthers(request: HttpRequest, config: Config): HttpAnswer | undefined {
  const { origin, host = '' } = request.headers;
  const isOwn = origin === undefined || isSameHost(origin, host);
  const refusal = isOwn ? checkRate(request.share, config) : foreign('not the one of the page');
  return refusal && refused(request, refusal);
}
