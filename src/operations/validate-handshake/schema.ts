import * as z from 'zod';
import { Grade, GradeCounts, strict } from '../../core/grade.ts';
import { targetFields } from '../../target/fields.ts';

export const ValidateHandshakeInput = z
  .strictObject({
    ...targetFields,
    strict,
    request: z
      .string()
      .min(1)
      .optional()
      .describe('file with the head (first line and headers) of a saved request')
      .meta({ placeholder: 'file' }),
    response: z
      .string()
      .min(1)
      .optional()
      .describe('file with the head (first line and headers) of a saved response')
      .meta({ placeholder: 'file' }),
    key: z
      .string()
      .optional()
      .describe('Sec-WebSocket-Key of the request that the saved response answers')
      .meta({ placeholder: 'base64' }),
  })
  .refine(
    (input) => {
      const captured = input.request !== undefined || input.response !== undefined;
      return (
        [input.url !== undefined, input.project !== undefined, captured].filter(Boolean).length ===
        1
      );
    },
    { message: 'expected a url, a project, or files with a request or a response', path: ['url'] },
  );
export type ValidateHandshakeInput = z.output<typeof ValidateHandshakeInput>;

/** One rule of the opening handshake and how the endpoint or the captured head keeps it. */
export const RuleRow = z.object({
  id: z.string(),
  rfc: z.string(),
  /** The rule in one sentence. */
  rule: z.string(),
  verdict: Grade,
  seen: z.string(),
  expected: z.string(),
});
export type RuleRow = z.output<typeof RuleRow>;

export const ValidateHandshakeReport = z.object({
  operation: z.literal('validate-handshake'),
  target: z.string(),
  status: z.enum(['passed', 'failed', 'interrupted']),
  rules: z.array(RuleRow),
  summary: GradeCounts,
  success: z.boolean(),
});
export type ValidateHandshakeReport = z.output<typeof ValidateHandshakeReport>;
