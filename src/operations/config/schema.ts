import * as z from 'zod';
import { Settings } from '../../core/settings.ts';

/** `config` takes no arguments. */
export const ConfigInput = z.strictObject({});
export type ConfigInput = z.output<typeof ConfigInput>;

/** What `config` reports. */
export const ConfigReport = z.object({
  operation: z.literal('config'),
  status: z.literal('passed'),
  success: z.literal(true),
  /** The project file that was read, if there is one. */
  file: z.string().nullable(),
  /** Why a file in a folder above is used, or is not. */
  note: z.string().nullable(),
  settings: Settings,
  /** By dotted key: where the effective value came from. */
  origins: z.record(z.string(), z.string()),
});
export type ConfigReport = z.output<typeof ConfigReport>;
