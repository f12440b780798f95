import * as z from 'zod';
import { WebSocketUrl } from '../../core/fields.ts';
import { FEATURES } from '../../generate/answers.ts';
import {
  ALL_CLIENT_TYPES,
  CLIENT_LANGUAGE,
  CLIENT_PROTOCOLS,
  COMMON_CLIENT_FEATURES,
} from '../../generate/client.ts';
import { CLIENT_LANGUAGES } from '../../generate/languages/index.ts';
import type { ClientLanguageName } from '../../generate/languages/index.ts';
import { OUTPUT_FIELDS, OUTPUT_REPORT_FIELDS } from '../../generate/output.ts';

const LANGUAGE_NAMES = Object.keys(CLIENT_LANGUAGES) as ClientLanguageName[];
const Language = z.enum(LANGUAGE_NAMES);
const ClientType = z.enum(ALL_CLIENT_TYPES);

/** `TypeScript` is typescript. */
const NamedLanguage = z.preprocess(
  (value: string) =>
    (typeof value === 'string' ? value.toLowerCase() : value) as ClientLanguageName,
  Language,
);

export const GenerateClientInput = z.strictObject({
  language: NamedLanguage.optional()
    .meta({ default: CLIENT_LANGUAGE })
    .describe(
      'language of the client, else that of the file --output names; a .js file needs no compiler',
    ),
  type: ClientType.optional().describe('type of the server (default: that of --server, or chat)'),
  subprotocol: z
    .enum(CLIENT_PROTOCOLS)
    .optional()
    .describe('protocol of others that the client speaks, instead of --type'),
  features: z
    .array(z.enum([...FEATURES, ...COMMON_CLIENT_FEATURES]))
    .optional()
    .meta({ separator: ',' })
    .describe(
      'features of the server: presence and auth are added to the client, it finds out about the ' +
        `others when it connects; every client has ${COMMON_CLIENT_FEATURES.join(', ')}`,
    ),
  react: z.boolean().optional().meta({ default: false }).describe('add React hooks'),
  server: z
    .string()
    .min(1)
    .optional()
    .meta({ placeholder: 'project' })
    .describe('generated server that the client is for: its type, features and port'),
  url: WebSocketUrl.optional().describe(
    'URL of the server in the examples (default: that of --server, or ws://localhost:8080)',
  ),
  output: z
    .string()
    .min(1)
    .optional()
    .meta({ placeholder: 'path' })
    .describe(
      'folder for a package with tests, or a .js, .ts, .go or .py file that needs no other ' +
        '(default: chat-client, …)',
    ),
  ...OUTPUT_FIELDS,
});
export type GenerateClientInput = z.output<typeof GenerateClientInput>;

/** What the content of the files depends on: what a project's manifest keeps as its answers. */
export const ClientChoices = z.object(
  GenerateClientInput.omit({
    ...{ server: true, output: true, force: true, dryRun: true, update: true, diff: true },
  }).shape,
);

export const GenerateClientReport = z.object({
  operation: z.literal('generate-client'),
  language: Language,
  type: ClientType,
  features: z.array(z.enum(FEATURES)),
  ...OUTPUT_REPORT_FIELDS,
});
export type GenerateClientReport = z.output<typeof GenerateClientReport>;
