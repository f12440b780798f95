import type * as z from 'zod';
import { environmentFault } from './errors.ts';
import type { Settings } from './settings.ts';

/** Progress of a running operation; the CLI prints it on stderr, a task writes it to its log. */
export interface Progress {
  readonly stage: string;
  readonly done?: number;
  readonly total?: number;
  /** The parts of the whole, in display order. */
  readonly parts?: readonly ProgressPart[];
  /** The present state as lines for a terminal of so many columns; replaces the lines before. */
  readonly lines?: (columns: number) => readonly string[];
  /** A single event: printed at once, as a line that stays. */
  readonly event?: true;
}

/** A part of an operation, such as a section of a test suite. */
export interface ProgressPart {
  readonly name: string;
  readonly done: number;
  readonly total: number;
  /** How many of those done have failed. */
  readonly failed: number;
}

/** What an operation gets from its caller: cancellation, progress, folder and clock. */
export interface OperationContext {
  /** Aborted on Ctrl-C: return what was measured so far with `status: 'interrupted'`. */
  readonly signal: AbortSignal;
  readonly emit: (progress: Progress) => void;
  /** Relative paths in the input are relative to this folder. */
  readonly cwd: string;
  /** Monotonic time in milliseconds. */
  readonly now: () => number;
}

/**
 * How a report ended; `waiting` is a run that waits for others (an agent, a person), and `invalid` a
 * measurement that says nothing about its target.
 */
export type Status = 'passed' | 'failed' | 'invalid' | 'interrupted' | 'waiting';

/** The fields of every report; `success` is true only for `passed`. `status` gives the exit code. */
export interface Report {
  readonly operation: string;
  readonly status: Status;
  readonly success: boolean;
}

/** A report laid out for people. The CLI knows how to draw this and nothing about operations. */
export interface View {
  readonly title: string;
  readonly facts?: readonly (readonly [label: string, value: string])[];
  readonly table?: View.Table;
  /** Further tables, under the first. */
  readonly moreTables?: readonly View.Table[];
  /** A text of many lines, such as a diff. */
  readonly text?: string;
  /** Lines below the tables: what to do next, what was left out. */
  readonly notes?: readonly string[];
  /** Something puts the figures in doubt, so that a pass is not marked as one. */
  readonly doubtful?: boolean;
}

// eslint-disable-next-line @typescript-eslint/no-namespace -- a type that belongs to View alone
export declare namespace View {
  interface Table {
    readonly columns: readonly string[];
    /** A cell that reads `pass`, `info`, `warn`, `fail` or `skip` is coloured. */
    readonly rows: readonly (readonly string[])[];
  }
}

/**
 * One operation: the definition from which CLI, task, library face and docs are derived.
 *
 * Functions are declared as methods, so that a list may hold operations of different inputs.
 */
export interface Operation<
  Input extends z.ZodObject = z.ZodObject,
  Output extends z.ZodType<Report> = z.ZodType<Report>,
> extends OperationDefinition<Input, Output> {
  /** As users type it: `generate-server`. */
  readonly name: string;
  readonly summary: string;
}

/** What an operation's own folder defines; its name and summary are in the registry. */
export interface OperationDefinition<
  Input extends z.ZodObject = z.ZodObject,
  Output extends z.ZodType<Report> = z.ZodType<Report>,
> {
  /** Complete command lines, without the program's name. */
  readonly examples: readonly string[];
  readonly input: Input;
  readonly output: Output;
  /** Defaults that come from the configuration, below `given`: flags and task arguments, unchecked. */
  defaults?(settings: Settings, given: Readonly<Record<string, unknown>>): Partial<z.input<Input>>;
  /** Undefined where nothing may be printed, as the operation itself used standard output. */
  view(report: z.output<Output>): View | undefined;
  run(input: z.output<Input>, context: OperationContext): Promise<z.output<Output>>;
}

/**
 * Keeps the types of `definition`; write `run` as a named, annotated function. A fault of the file
 * system that `run` does not name itself becomes an `EnvironmentError`, for every caller.
 */
export function defineOperation<Input extends z.ZodObject, Output extends z.ZodType<Report>>(
  definition: OperationDefinition<Input, Output>,
): OperationDefinition<Input, Output> {
  return {
    ...definition,
    run: (input, context) =>
      definition.run(input, context).catch((error: unknown) => {
        throw environmentFault(error) ?? error;
      }),
  };
}

/** An operation that is listed by name and summary, and loaded only when it is asked for. */
export interface OperationEntry<
  Input extends z.ZodObject = z.ZodObject,
  Output extends z.ZodType<Report> = z.ZodType<Report>,
> {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Operation<Input, Output>>;
}

/** A row of a registry: the summary and the dynamic import of the folder's operation.ts. */
interface Row {
  readonly summary: string;
  load(): Promise<{ readonly operation: OperationDefinition }>;
}

type DefinitionOf<R extends Row> = Awaited<ReturnType<R['load']>>['operation'];
type EntryOf<R extends Row> = OperationEntry<DefinitionOf<R>['input'], DefinitionOf<R>['output']>;

/** Makes a registry of `rows`: entries by name, in the order in which help lists them. */
export function defineRegistry<Rows extends Readonly<Record<string, Row>>>(
  rows: Rows,
): { readonly [Name in keyof Rows]: EntryOf<Rows[Name]> } {
  const entries = Object.entries(rows).map(([name, row]) => {
    const { summary } = row;
    const load = async (): Promise<Operation> => ({
      name,
      summary,
      ...(await row.load()).operation,
    });
    return [name, { name, summary, load }];
  });
  return Object.fromEntries(entries) as { [Name in keyof Rows]: EntryOf<Rows[Name]> };
}
