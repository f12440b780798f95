import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
// #if auth || pubsub || live
import type { z } from 'zod';
// #endif
import type { Refusal } from './handshake.ts';
// #if auth || pubsub || live
import { faultIn } from './messages.ts';
// #endif
import type { Share } from './shares.ts';

/** A request that is no handshake, with its whole body. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The address it comes from. */
  readonly share: Share;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: object | string | Buffer;
}

/** What answers the requests to some path. */
export interface Route {
  readonly method: string;
  /** Of the path; what its groups match is passed to `answer`. */
  readonly path: RegExp;
  /** Bytes of the largest body; a larger one gets 413. */
  readonly maxBody: number;
  // #if metrics
  /** Whether it answers under names that are not in ALLOWED_HOSTS; then it has guards of its own. */
  readonly isForAnyHost?: boolean;
  // #endif
  answer(request: HttpRequest, groups: readonly string[]): HttpAnswer | Promise<HttpAnswer>;
}

/** The route of a request and the groups of its path; the methods that there are for the path if none fits. */
export function findRoute(
  routes: readonly Route[],
  method: string,
  path: string,
): { route: Route; groups: readonly string[] } | { allowed: readonly string[] } {
  const allowed: string[] = [];
  for (const route of routes) {
    const match = route.path.exec(path);
    if (match === null) continue;
    if (route.method === method) return { route, groups: match.slice(1) };
    allowed.push(route.method);
  }
  return { allowed };
}

/** The body of `request`; undefined when it has more than `limit` bytes. Rejects when it ends early. */
export async function readBody(
  request: IncomingMessage,
  limit: number,
): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return undefined;
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > limit) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** An answer that says what is wrong. */
export function problem(
  status: number,
  error: string,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  return { status, headers, body: { error } };
}

/** The answer to a request that the log names as refused. */
export function refused(
  { share, path, headers: { origin } }: HttpRequest,
  { status, reason, hint, headers = {} }: Refusal,
  more: Readonly<Record<string, string>> = {},
): HttpAnswer {
  share.log('warn', 'request-refused', { path, status, reason, hint, origin });
  return problem(status, reason, { ...headers, ...more });
}
// #if auth || pubsub || live

/** What the body of a request holds, or what is wrong with it. */
export function readJson<Schema extends z.ZodType>(
  { body }: HttpRequest,
  schema: Schema,
): { readonly value: z.output<Schema> } | { readonly error: string } {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return { error: 'expected JSON in UTF-8' };
  }
  const result = schema.safeParse(json);
  return result.success ? { value: result.data } : { error: faultIn(result.error) };
}
// #endif
