import * as z from 'zod';

/** How a task of a run ended; `wait` is one that has no result yet. */
export const StepVerdict = z.enum(['pass', 'fail', 'wait']);
export type StepVerdict = z.output<typeof StepVerdict>;

export const ReportInput = z.strictObject({
  run: z
    .string()
    .min(1)
    .meta({ placeholder: 'folder' })
    .describe('folder of the babysitter run that the page is about, such as .a5c/runs/my-run'),
  output: z
    .string()
    .min(1)
    .default('run-report.html')
    .meta({ placeholder: 'file' })
    .describe('HTML file to write'),
});
export type ReportInput = z.output<typeof ReportInput>;

/** Its `success` says that the page was written; `verdict` is that of the run. */
export const RunPageReport = z.object({
  operation: z.literal('report'),
  status: z.enum(['passed', 'interrupted']),
  success: z.boolean(),
  /** Absolute. */
  run: z.string(),
  process: z.string(),
  verdict: StepVerdict,
  steps: z.array(
    z.object({
      task: z.string(),
      title: z.string(),
      verdict: StepVerdict,
      detail: z.string(),
    }),
  ),
  /** The page; absolute. */
  page: z.string(),
});
export type RunPageReport = z.output<typeof RunPageReport>;
