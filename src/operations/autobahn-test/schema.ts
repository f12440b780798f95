import * as z from 'zod';
import { Port, Subprotocol } from '../../core/fields.ts';
import { targetFields } from '../../target/fields.ts';

const { url, project, headers, insecure, ca } = targetFields;

export const AutobahnTestInput = z
  .strictObject({
    role: z
      .enum(['server', 'client'])
      .default('server')
      .describe(
        'what is tested; with client, this program listens and the client under test connects to it',
      ),
    url,
    project,
    port: Port.default(9001).describe('port to listen on, with --role client'),
    host: z
      .string()
      .min(1)
      .default('127.0.0.1')
      .describe('address to listen on, with --role client')
      .meta({ placeholder: 'address' }),
    spawn: z
      .string()
      .min(1)
      .optional()
      .describe(
        'command that starts the client under test, with --role client; when it exits, the test ends',
      )
      .meta({ placeholder: 'command' }),
    cases: z
      .array(z.string().min(1))
      .default([])
      .describe('ids or patterns of the cases to run, such as 1.*,7.1.* (default: all)')
      .meta({ separator: ',', placeholder: 'patterns' }),
    exclude: z
      .array(z.string().min(1))
      .default([])
      .describe('ids or patterns of the cases not to run')
      .meta({ separator: ',', placeholder: 'patterns' }),
    quick: z
      .boolean()
      .default(false)
      .describe('20 instead of 1000 messages in each case of sections 12 and 13 (compression)'),
    extended: z
      .boolean()
      .default(false)
      .describe('also run cases that Autobahn does not have, with ids that start with x.'),
    concurrency: z
      .int()
      .min(1)
      .max(64)
      .default(16)
      .describe('cases that run at the same time; a case that fails is run again alone'),
    failOn: z
      .enum(['failed', 'non-strict', 'unimplemented'])
      .default('failed')
      .describe('the least severe verdict that makes the run fail'),
    output: z
      .string()
      .min(1)
      .default('autobahn-report')
      .describe('folder for the reports')
      .meta({ placeholder: 'folder' }),
    agent: z
      .string()
      .min(1)
      .optional()
      .describe('name of the server or client in the reports (default: the name it gives itself)')
      .meta({ placeholder: 'name' }),
    expectedFailures: z
      .string()
      .min(1)
      .optional()
      .describe('YAML file with the cases that are known to fail, each with a reason')
      .meta({ placeholder: 'file' }),
    compare: z
      .string()
      .min(1)
      .optional()
      .describe('index.json of an earlier report, of this program or of Autobahn, to compare with')
      .meta({ placeholder: 'file' }),
    headers,
    subprotocols: z
      .array(Subprotocol)
      .default([])
      .describe('subprotocol to offer; repeatable')
      .meta({ flag: 'subprotocol', placeholder: 'name' }),
    insecure,
    ca,
  })
  .refine(
    ({ role, url, project }) =>
      role === 'client'
        ? url === undefined && project === undefined
        : (url === undefined) !== (project === undefined),
    {
      message: 'expected --url or --project, not both, and neither with --role client',
      path: ['url'],
    },
  )
  .refine(({ role, spawn }) => role === 'client' || spawn === undefined, {
    message: 'expected only with --role client',
    path: ['spawn'],
  });
export type AutobahnTestInput = z.output<typeof AutobahnTestInput>;

const Verdict = z.enum(['pass', 'non-strict', 'fail', 'informational', 'unimplemented']);

/** One case that did not simply pass. */
export const CaseRow = z.object({
  agent: z.string(),
  id: z.string(),
  title: z.string(),
  /** Section it rests on, as `6455#5.2`. */
  rfc: z.string(),
  verdict: Verdict,
  /** In Autobahn's words. */
  behavior: z.string(),
  behaviorClose: z.string(),
  /** Why, on one line. */
  reason: z.string(),
  /** Why this was to be expected; null if it was not. */
  expected: z.string().nullable(),
});
export type CaseRow = z.output<typeof CaseRow>;

export const AutobahnTestReport = z.object({
  operation: z.literal('autobahn-test'),
  /** URL of the server, or the one at which clients found the tester. */
  target: z.string(),
  status: z.enum(['passed', 'failed', 'interrupted']),
  success: z.boolean(),
  /** The verdict in a sentence. */
  summary: z.string(),
  agents: z.array(z.string()),
  /** Cases that were selected, for each agent. */
  selected: z.number(),
  /** How many cases came to which verdict, over all agents. */
  verdicts: z.record(Verdict, z.number()),
  compliance: z.object({
    /** No case outside of the expected failures fails. */
    rfc6455: z.boolean(),
    autobahnPassed: z.number(),
    autobahnFailed: z.number(),
  }),
  /** What did not pass, in the order of the cases. */
  cases: z.array(CaseRow),
  /** Rows of the file of expected failures that do not fail any more. */
  staleExpectations: z.array(z.string()),
  /** The comparison with an earlier report, in lines; empty without one. */
  comparison: z.array(z.string()),
  notes: z.array(z.string()),
  /** The page, the summary, JUnit and `index.json`. */
  reports: z.array(z.string()),
  durationMs: z.number(),
});
export type AutobahnTestReport = z.output<typeof AutobahnTestReport>;
