import { toExtension } from '../deflate/params.ts';
import { deflatesOf } from '../deflate/offers.ts';
import type { DeflateFlaw, DeflateParams } from '../deflate/params.ts';
import { formatExtensions, parseExtensions } from '../http/extension-header.ts';
import { fieldValue, fieldValues } from '../http/head.ts';
import type { RequestHead, ResponseHead } from '../http/head.ts';
import { quote } from '../http/http-grammar.ts';
import { verdict, pass, skip } from './rules.ts';
import type { Finding, Rule } from './rules.ts';

/** Rules and checks that the lists for requests and responses share. */

type Head = RequestHead | ResponseHead;
type Check = (head: Head) => Finding;

/** Judges all values of a field, none included. */
export function values(name: string, holds: (values: readonly string[]) => boolean): Check {
  return (head) => {
    const found = fieldValues(head, name);
    return verdict(holds(found), describe(found));
  };
}

/** As `values`, but skipped without the field. */
export function optional(name: string, holds: (values: readonly string[]) => boolean): Check {
  return (head) =>
    fieldValues(head, name).length === 0 ? skip(`no ${name}`) : values(name, holds)(head);
}

/** Judges the first value of a field; skipped without the field. */
export function first(name: string, holds: (value: string) => boolean): Check {
  return (head) => {
    const [value] = fieldValues(head, name);
    return value === undefined ? skip(`no ${name}`) : verdict(holds(value), quote(value));
  };
}

export const isOne = (found: readonly string[]): boolean => found.length === 1;

/** The values of a field for a report, or that it is missing. */
export function describe(found: readonly string[]): string {
  return found.length === 0 ? 'none' : found.map(quote).join(' and ');
}

export function describeParams(params: DeflateParams): string {
  return quote(formatExtensions([toExtension(params)]));
}

export function httpVersionRule(kind: Head['kind'], rfc: string): Rule<Head> {
  return {
    id: `${kind}-http-version`,
    rfc,
    rule: `The HTTP version of the ${kind} is at least 1.1.`,
    code: 'WSK_HTTP_VERSION',
    expected: 'HTTP/1.1 or higher',
    check: ({ version }) => {
      const [, major, minor] = /^HTTP\/(\d)\.(\d)$/.exec(version) ?? [];
      return verdict(Number(major) > 1 || (major === '1' && Number(minor) >= 1), version);
    },
  };
}

export function fieldsRule(kind: Head['kind'], rfc: string): Rule<Head> {
  return {
    id: `${kind}-fields`,
    rfc,
    rule: `The ${kind} keeps to the grammar of HTTP.`,
    code: 'WSK_HEAD_SYNTAX',
    expected: 'field lines of name, colon and value, each ended by CRLF',
    check: ({ flaws, fields }) => {
      const [flaw, ...more] = flaws;
      if (flaw === undefined) {
        return pass(`${fields.length} header field${fields.length === 1 ? '' : 's'}`);
      }
      return verdict(false, more.length === 0 ? flaw : `${flaw}, and ${more.length} more`);
    },
  };
}

export function extensionsRule(kind: Head['kind'], example: string): Rule<Head> {
  return {
    id: `${kind}-extensions`,
    rfc: '6455#9.1',
    rule: 'Sec-WebSocket-Extensions keeps to its grammar.',
    code: 'WSK_EXTENSIONS',
    expected: `extensions with parameters, as in ${example}`,
    check: (head) => {
      const header = fieldValue(head, 'Sec-WebSocket-Extensions');
      if (header === undefined) return skip('no Sec-WebSocket-Extensions');
      const parsed = parseExtensions(header);
      return verdict(parsed.ok, parsed.ok ? quote(header) : parsed.flaw);
    },
  };
}

const FLAWS: readonly { flaw: DeflateFlaw; id: string; rule: string; expected: string }[] = [
  {
    flaw: 'unknown',
    id: 'names',
    rule: 'has only parameters that exist.',
    expected: '{server,client}_{no_context_takeover,max_window_bits}',
  },
  {
    flaw: 'repeated',
    id: 'unique',
    rule: 'has no parameter twice.',
    expected: 'each parameter once',
  },
  {
    flaw: 'value',
    id: 'values',
    rule: 'has only legal values.',
    expected: 'windows of 8 to 15 bits without leading zeros; no value for no_context_takeover',
  },
];

/** RFC 7692 section 7.1: what is illegal in permessage-deflate, whoever sends it. */
export function deflateRules(kind: Head['kind']): Rule<Head>[] {
  const isOffer = kind === 'request';
  const subject = isOffer ? 'An offer of permessage-deflate' : 'A response with permessage-deflate';
  const missing = isOffer ? 'no offer of permessage-deflate' : NO_DEFLATE;
  return FLAWS.map(({ flaw, id, rule, expected }) => ({
    id: `${kind}-deflate-${id}`,
    rfc: '7692#7.1',
    rule: `${subject} ${rule}`,
    code: 'WSK_DEFLATE_PARAMETERS',
    expected,
    // 7.1: a server declines such an offer; the handshake goes on without it.
    fatal: !isOffer,
    check: (head) => {
      const found = deflatesOf(head);
      if (found.length === 0) return skip(missing);
      const seen = found.flatMap(({ flaws }) => flaws).find(({ kind: is }) => is === flaw);
      const params = found.map((deflate) => describeParams(deflate.params)).join(' and ');
      return verdict(seen === undefined, seen?.text ?? params);
    },
  }));
}

export const NO_DEFLATE = 'no permessage-deflate in the response';
