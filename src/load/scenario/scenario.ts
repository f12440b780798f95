/**
 * A scenario as it is run: everything parsed, checked and read from files, and plain JSON, so that
 * it can be sent to other threads and machines.
 */
export interface Scenario {
  readonly name: string;
  readonly variables: readonly Variable[];
  readonly clients: readonly ClientKind[];
}

/** Some of the virtual clients: `weight` tells how many, compared with the other kinds. */
export interface ClientKind {
  readonly name: string;
  readonly weight: number;
  readonly steps: readonly Step[];
  /** What may arrive unasked; the first that matches takes it. */
  readonly on: readonly Handler[];
}

export type Step = ConnectStep | SendStep | ExpectStep | ThinkStep | LoopStep | CloseStep;

/** Where the step stands in the file, `line:column`, for the messages of errors. */
interface Placed {
  readonly at: string;
}

export interface ConnectStep extends Placed {
  readonly kind: 'connect';
  /** In place of the target's path; null: the target's. */
  readonly path: Template | null;
  readonly query: readonly (readonly [name: string, value: Template])[];
  readonly headers: readonly (readonly [name: string, value: Template])[];
  readonly subprotocols: readonly string[];
}

export interface SendStep extends Placed {
  readonly kind: 'send';
  readonly opcode: 1 | 2;
  readonly payload: Template;
  /** Whether an expectation waits for its reply: it is a message that is measured. */
  readonly awaited: boolean;
  /** Number among the sends of its client, by which expectations refer to it. */
  readonly id: number;
}

export interface ExpectStep extends Placed {
  readonly kind: 'expect';
  readonly match: Matcher;
  /** What has to hold of the message that matched; null: nothing more. */
  readonly check: Matcher | null;
  readonly captures: readonly Capture[];
  readonly timeoutMs: number;
  readonly label: string | null;
  /** The send whose reply this is; null: it comes unasked. */
  readonly replyTo: number | null;
  /** Whether it is the first reply to that send, which completes the message. */
  readonly completes: boolean;
  /** Whether it is met again and again: its label counts in the measured phase only. */
  readonly looped: boolean;
}

/** Milliseconds; another duration each time if the two differ. */
export interface ThinkStep extends Placed {
  readonly kind: 'think';
  readonly minMs: number;
  readonly maxMs: number;
}

export interface LoopStep extends Placed {
  readonly kind: 'loop';
  readonly until:
    | { readonly kind: 'times'; readonly times: number }
    | { readonly kind: 'for'; readonly ms: number }
    | { readonly kind: 'forever' };
  /** Time from one pass to the next by the schedule; null: as fast as the steps let it. */
  readonly everyMs: number | null;
  /** Messages with a reply in one pass, loops that go by time counted once. */
  readonly messages: number;
  readonly steps: readonly Step[];
}

export interface CloseStep extends Placed {
  readonly kind: 'close';
  readonly code: number;
}

export interface Handler extends Placed {
  readonly name: string;
  readonly match: Matcher;
  readonly captures: readonly Capture[];
  readonly answer: Pick<SendStep, 'opcode' | 'payload'> | null;
}

/** A condition on a message; all of its parts have to hold, none of them: any message will do. */
export interface Matcher {
  /** Values at paths of a JSON text. */
  readonly json: readonly { readonly path: JsonPath; readonly equals: Template }[];
  readonly exists: readonly JsonPath[];
  readonly absent: readonly JsonPath[];
  readonly contains: Template | null;
  /** The whole text. */
  readonly text: Template | null;
  readonly regex: string | null;
  /** The whole payload of a binary message, base64. */
  readonly binary: string | null;
  /** As people read it: `json $.type = "ack"`. */
  readonly words: string;
}

export interface Capture {
  readonly name: string;
  readonly from:
    | { readonly kind: 'json'; readonly path: JsonPath }
    | { readonly kind: 'regex'; readonly source: string; readonly group: number | string };
}

/** Names and indices; a negative index counts from the end. */
export type JsonPath = readonly (string | number)[];

/** Pieces to be joined. A JSON template gives JSON text. */
export type Template = readonly TemplatePart[];

export type TemplatePart =
  | string
  | {
      readonly name: string;
      readonly path: JsonPath;
      /** As plain text, as a JSON value, or as a part of a JSON string. */
      readonly as: 'text' | 'value' | 'string';
    };

export interface Variable {
  readonly name: string;
  /** When it is drawn anew: for each client, each time its steps begin, or each pass of a loop. */
  readonly per: 'client' | 'iteration' | 'pass';
  readonly source: Source;
}

export type Source =
  | { readonly kind: 'integer'; readonly min: number; readonly max: number }
  | { readonly kind: 'text'; readonly min: number; readonly max: number }
  | { readonly kind: 'uuid' }
  | { readonly kind: 'sequence'; readonly from: number; readonly step: number }
  /** Random order, or one after the other and from the start again. */
  | {
      readonly kind: 'values';
      readonly order: 'random' | 'cycle';
      readonly values: readonly unknown[];
    };
