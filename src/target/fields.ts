import * as z from 'zod';
import { DurationMs, HeaderLine, WebSocketUrl } from '../core/fields.ts';

/** What a header field can carry byte by byte (RFC 9110 section 5.5). */
function isLatin1(text: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(text);
}

/** The fields by which an operation opens its target: `--url` or `--project`, headers and TLS. */
export const targetFields = {
  url: WebSocketUrl.optional().describe('URL of the server, ws:// or wss://'),
  project: z
    .string()
    .min(1)
    .optional()
    .describe(
      'folder or file made by generate-server: it is started, tested and stopped (instead of --url)',
    )
    .meta({ placeholder: 'path' }),
  headers: z
    .array(HeaderLine.refine(isLatin1, 'expected characters of ISO 8859-1 only'))
    .default([])
    .describe('extra request header; repeatable')
    .meta({ flag: 'header' }),
  insecure: z.boolean().default(false).describe('accept any TLS certificate'),
  ca: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file with the certificates to trust')
    .meta({ placeholder: 'file' }),
  timeoutMs: DurationMs.default(5000)
    .describe('time limit of the connect and of each check')
    .meta({ flag: 'timeout' }),
};
