import * as z from 'zod';
import { SegmentRow } from '../../load/distributed/protocol.ts';
import { TARGET_PATTERN } from '../../load/distributed/target-patterns.ts';

/** May hold user and password: printed only by `printableRedisUrl`. */
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

export const BenchmarkWorkerReport = z.object({
  operation: z.literal('benchmark-worker'),
  /** A segment that fails is part of the result of its run: it does not fail the worker. */
  status: z.enum(['passed', 'interrupted']),
  success: z.boolean(),
  name: z.string(),
  /** Without user and password. */
  redis: z.string(),
  shares: z.array(SegmentRow),
  /** Offers that were refused. */
  refused: z.number(),
  durationMs: z.number(),
});
export type BenchmarkWorkerReport = z.output<typeof BenchmarkWorkerReport>;
