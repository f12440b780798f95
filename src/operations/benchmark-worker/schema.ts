import * as z from 'zod';
import { TARGET_PATTERN } from '../../load/distributed/target-patterns.ts';

/** Where Redis is; may hold user and password, so that it is never printed as it is. */
const RedisUrl = z
  .string()
  .refine((text) => URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol), {
    message: 'expected a redis:// or rediss:// URL',
  })
  .meta({ placeholder: 'url', expected: 'a redis:// or rediss:// URL' });

export const BenchmarkWorkerInput = z.strictObject({
  redis: RedisUrl.describe('URL of the Redis that benchmark --distributed uses'),
  name: z
    .string()
    .regex(/^[\w.-]{1,100}$/, 'expected letters, digits, ".", "_" or "-"')
    .optional()
    .describe('name of this worker in reports (default: host name and process id)')
    .meta({ placeholder: 'name' }),
  once: z.boolean().default(false).describe('exit after one run'),
  concurrency: z
    .int()
    .min(1)
    .max(64)
    .default(1)
    .describe('runs at the same time; a busy worker takes no further run'),
  allowTargets: z
    .array(z.string().regex(TARGET_PATTERN, 'expected host or host:port, with * for any part'))
    .default([])
    .describe(
      'host or host:port that may be loaded, * stands for any part; repeatable (default: any)',
    )
    .meta({ flag: 'allow-target', placeholder: 'pattern' }),
});
export type BenchmarkWorkerInput = z.output<typeof BenchmarkWorkerInput>;

/** One share of a run, as this worker carried it out. */
export const ShareRow = z.object({
  /** Without a query, which may hold a secret. */
  target: z.string(),
  connections: z.number(),
  sent: z.number(),
  received: z.number(),
  durationMs: z.number(),
  verdict: z.enum(['pass', 'fail']),
  /** What went wrong, or that it was cut short. */
  note: z.string(),
});
export type ShareRow = z.output<typeof ShareRow>;

export const BenchmarkWorkerReport = z.object({
  operation: z.literal('benchmark-worker'),
  /** A share that this worker was told to leave, or could not connect, is a result of its run. */
  status: z.enum(['passed', 'interrupted']),
  success: z.boolean(),
  name: z.string(),
  /** Without user and password. */
  redis: z.string(),
  shares: z.array(ShareRow),
  /** Invitations that were turned down. */
  refused: z.number(),
  durationMs: z.number(),
});
export type BenchmarkWorkerReport = z.output<typeof BenchmarkWorkerReport>;
