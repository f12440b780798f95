import { request as requestHttp } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { TlsOptions } from '../transport/index.ts';

/** An answer, with its body as text and, if it is JSON, as a value. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: unknown;
}

export interface HttpRequest {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly tls: TlsOptions;
  readonly timeoutMs: number;
}

/** Bytes of a body that are kept. */
const BODY_BYTES = 4 * 1024 * 1024;

/** One request on a connection of its own. Rejects when there is no answer in time. */
export function ask(
  url: URL,
  { method, headers, body, tls, timeoutMs }: HttpRequest,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    const request = send(url, {
      method,
      agent: false,
      ...tls,
      headers: {
        ...(body !== undefined && { 'Content-Length': Buffer.byteLength(body) }),
        ...headers,
      },
    });
    const timer = setTimeout(
      () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    request.on('close', () => clearTimeout(timer));
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const settle = (): void => {
        const text = Buffer.concat(chunks).toString();
        const { statusCode: status = 0, headers: fields } = response;
        resolve({ status, headers: fields, text, json: parse(text) });
      };
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= BODY_BYTES) chunks.push(chunk);
      });
      // A server that refuses a large body may reset the connection after its answer.
      response.on('end', settle).on('error', settle);
    });
    request.end(body);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
