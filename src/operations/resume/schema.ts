import * as z from 'zod';
import { RunDir } from '../../babysitter/schema.ts';

/** What `resume` takes. */
export const ResumeInput = z.strictObject({ runDir: RunDir });
export type ResumeInput = z.output<typeof ResumeInput>;
