import { randomBytes } from 'node:crypto';
import { createKey, createRequest, fieldValue } from '../../protocol/index.ts';
import type { HeaderList, RequestHead, ResponseHead } from '../../protocol/index.ts';
import type { Wire } from '../../transport/index.ts';

/** A request as it will be written; probes change one thing in it. */
export type RequestDraft = Pick<RequestHead, 'method' | 'target' | 'version' | 'fields'>;

/** What came back: a head, or nothing that is one. */
export type Answer =
  | { readonly head: ResponseHead; readonly wire: Wire }
  | { readonly head: undefined; readonly what: string };

/** How a server's answer to a probe is judged. */
export interface ProbeOutcome {
  readonly verdict: 'pass' | 'fail' | 'skip';
  readonly seen: string;
}

/** One duty of a server, put to the test by one request. */
export interface Probe {
  readonly id: string;
  readonly rfc: string;
  readonly rule: string;
  readonly expected: string;
  /** Changes the ordinary request. */
  readonly change: (draft: RequestDraft) => RequestDraft;
  /** Cuts the request into the packets it is sent in; one if absent. */
  readonly packets?: (request: Buffer) => readonly Buffer[];
  readonly judge: (answer: Answer) => ProbeOutcome | Promise<ProbeOutcome>;
}

/** The ordinary request for `url`, with a fresh key. */
export function draftRequest(url: URL, headers: HeaderList): RequestDraft {
  return createRequest({ url, key: createKey(randomBytes(16)), headers }).head;
}

export function encodeRequest({ method, target, version, fields }: RequestDraft): Buffer {
  const lines = fields.map(({ name, value }) => `${name}: ${value}`);
  return Buffer.from([`${method} ${target} ${version}`, ...lines, '', ''].join('\r\n'), 'latin1');
}

/** Takes the field `name` out. */
export function without(name: string): (draft: RequestDraft) => RequestDraft {
  return (draft) => ({
    ...draft,
    fields: draft.fields.filter((field) => field.name.toLowerCase() !== name.toLowerCase()),
  });
}

/** Gives the field `name` another value, where it stands or at the end. */
export function withField(name: string, value: string): (draft: RequestDraft) => RequestDraft {
  return (draft) => {
    const others = without(name)(draft);
    const at = draft.fields.findIndex((field) => field.name.toLowerCase() === name.toLowerCase());
    const fields = [...others.fields];
    fields.splice(at < 0 ? fields.length : at, 0, { name, value });
    return { ...draft, fields };
  };
}

/** Passes for an HTTP answer that is not 101. */
export function refused(answer: Answer): ProbeOutcome {
  if (answer.head === undefined) return { verdict: 'fail', seen: answer.what };
  return { verdict: answer.head.status === 101 ? 'fail' : 'pass', seen: statusLine(answer.head) };
}

/** Passes for 101. */
export function accepted(answer: Answer): ProbeOutcome {
  if (answer.head === undefined) return { verdict: 'fail', seen: answer.what };
  return { verdict: answer.head.status === 101 ? 'pass' : 'fail', seen: statusLine(answer.head) };
}

/** `HTTP 101, no Sec-WebSocket-Extensions`: the status and one field. */
export function withFieldSeen(head: ResponseHead, name: string): string {
  const value = fieldValue(head, name);
  return `${statusLine(head)}, ${value === undefined ? `no ${name}` : `${name}: ${value}`}`;
}

export function statusLine({ status, reason }: ResponseHead): string {
  return `HTTP ${status} ${reason}`.trimEnd();
}
