import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { createApplications } from './application.ts';
import type { Application, Context } from './application.ts';
import { CLOSE_CODES } from './close-codes.ts';
import { readConfig } from './config.ts';
import { COMMON_MESSAGES } from './messages.ts';

type Json = Record<string, unknown>;

/** The name of a message schema: what its `type` may be. */
function typesOf(schema: Json): string[] {
  const { type } = schema['properties'] as { type: { const?: string; enum?: string[] } };
  return type.enum ?? [type.const ?? ''];
}

/** One message per schema, by a name that nothing of the other direction has. */
function messagesOf(schemas: readonly z.ZodType[], io: 'input' | 'output'): Record<string, Json> {
  const who = io === 'input' ? 'client' : 'server';
  return Object.fromEntries(
    schemas.map((schema) => {
      const payload: Json = z.toJSONSchema(schema, { io, target: 'draft-7' });
      delete payload['$schema'];
      const [name = ''] = typesOf(payload);
      const title = typesOf(payload).join(' or ');
      return [`${who}.${name}`, { name, title, contentType: 'application/json', payload }];
    }),
  );
}

/** The messages of this server as an AsyncAPI 3 document: https://www.asyncapi.com/docs/reference/specification/v3.0.0 */
export function describeMessages(application: Application, port: number): Json {
  const received = messagesOf(application.commands.options, 'input');
  const sent = messagesOf([...COMMON_MESSAGES, ...application.messages], 'output');
  const refs = (names: object, at: string): Json[] =>
    Object.keys(names).map((name) => ({ $ref: `#/${at}/${name}` }));
  const closeCodes = Object.fromEntries(
    Object.entries(CLOSE_CODES).map(([name, { code, reason, reconnect }]) => [
      name,
      { code, reason, reconnect },
    ]),
  );
  return {
    asyncapi: '3.0.0',
    info: {
      title: application.subprotocol,
      version: '1.0.0',
      description: `Features: ${application.features.join(', ') || 'none'}`,
    },
    defaultContentType: 'application/json',
    servers: { local: { host: `localhost:${String(port)}`, protocol: 'ws' } },
    channels: {
      socket: {
        address: '/',
        messages: Object.fromEntries(
          Object.keys({ ...received, ...sent }).map((name) => [
            name,
            { $ref: `#/components/messages/${name}` },
          ]),
        ),
      },
    },
    operations: {
      receive: {
        action: 'receive',
        channel: { $ref: '#/channels/socket' },
        messages: refs(received, 'channels/socket/messages'),
      },
      send: {
        action: 'send',
        channel: { $ref: '#/channels/socket' },
        messages: refs(sent, 'channels/socket/messages'),
      },
    },
    components: { messages: { ...received, ...sent } },
    'x-close-codes': closeCodes,
  };
}

/** `value` as YAML. Texts and keys are quoted as in JSON, which YAML takes. */
export function toYaml(value: unknown, indent = ''): string {
  if (typeof value !== 'object' || value === null) return ` ${JSON.stringify(value)}\n`;
  const isList = Array.isArray(value);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  if (entries.length === 0) return isList ? ' []\n' : ' {}\n';
  const lines = entries.map(([key, item]) => {
    const name = /^[a-z][\w-]*$/i.test(key) ? key : JSON.stringify(key);
    return `${indent}${isList ? '-' : `${name}:`}${toYaml(item, `${indent}  `)}`;
  });
  return `\n${lines.join('')}`;
}

/** Writes `asyncapi.yaml` for the application of this server. */
function main(): void {
  const config = readConfig({});
  // What it says of its messages needs none of its parts.
  const [application] = createApplications({ config } as Context);
  const document = toYaml(describeMessages(application, config.PORT)).trimStart();
  writeFileSync('asyncapi.yaml', `# Made of the schemas in src/ by npm run build.\n${document}`);
}

if (process.argv[1]?.endsWith('asyncapi.js') === true) main();
