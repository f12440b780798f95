import { table } from '../core/derive/markdown.ts';
import { isOfProtocols } from './answers.ts';
import type { Feature } from './answers.ts';
import type { ServerType } from './languages/language.ts';

/** What a client does after a close code. */
const RECONNECT = {
  no: 'no',
  delay: 'with a growing delay',
  now: 'at once, then resume',
  token: 'with a new token',
  'token-once': 'once, with a new token',
} as const;

interface CloseCode {
  readonly code: number;
  readonly name: string;
  readonly meaning: string;
  /** The same, of servers of one type. */
  readonly meaningOf?: Readonly<Partial<Record<ServerType, string>>>;
  readonly reconnect: keyof typeof RECONNECT;
  /** Instead of the text of `reconnect`. */
  readonly when?: string;
  /** Why a server closes with it: name and reason; without it, no generated server does so itself. */
  readonly reasons?: Readonly<Record<string, string>>;
  /** The same, of servers of one type. */
  readonly reasonsOf?: Readonly<Partial<Record<ServerType, Readonly<Record<string, string>>>>>;
  /** Unless a server has it, it does not use the code. */
  readonly feature?: Feature;
  /** Unless a server is of it, it does not use the code. */
  readonly type?: ServerType;
  /** Whether no server uses it that has its state in its own memory. */
  readonly isForeign?: boolean;
}

/**
 * Why connections of generated servers end, and whether a client comes back: the source of the servers'
 * `close-codes.ts`, of the tables in their README and in docs/, of AsyncAPI and of the clients.
 *
 * 1000 to 1015 are defined by RFC 6455 section 7.4.1. Of the servers' own codes, 4000 to 4499 allow a
 * reconnect and 4500 to 4999 do not.
 */
export const CLOSE_CODES: readonly CloseCode[] = [
  { code: 1000, name: 'normal', meaning: 'the client closed', reconnect: 'no' },
  {
    code: 1001,
    name: 'goingAway',
    meaning: 'the server is shutting down',
    reconnect: 'delay',
    when: 'after `retryAfterMs`',
    reasons: { goingAway: 'server is shutting down' },
  },
  {
    code: 1002,
    name: 'protocolError',
    meaning: 'the client broke the WebSocket protocol',
    reconnect: 'no',
  },
  {
    code: 1003,
    name: 'unsupportedData',
    meaning: 'a binary message; only text is accepted',
    meaningOf: { collab: 'a message of unknown type' },
    reconnect: 'no',
    reasons: { unsupportedData: 'text messages only' },
    reasonsOf: { collab: { unknownMessage: 'a message of unknown type' } },
  },
  {
    code: 1006,
    name: '(no close frame)',
    meaning: 'the connection was lost',
    reconnect: 'delay',
  },
  {
    code: 1007,
    name: 'invalidData',
    meaning: 'a text message that is not UTF-8',
    meaningOf: { collab: 'a malformed message' },
    reconnect: 'no',
    reasonsOf: { collab: { malformed: 'a malformed message' } },
  },
  {
    code: 1008,
    name: 'policyViolation',
    meaning: 'too many invalid messages, or one without progress',
    reconnect: 'no',
    reasons: {
      policyViolation: 'too many invalid messages',
      messageStalled: 'the message makes no progress',
    },
  },
  {
    code: 1009,
    name: 'tooBig',
    meaning: 'a message above the limit',
    meaningOf: { collab: 'a message or a document above its limit' },
    reconnect: 'no',
    reasonsOf: {
      collab: { documentFull: 'the document is full' },
    },
  },
  {
    code: 1011,
    name: 'internalError',
    meaning: 'an error inside the server',
    reconnect: 'delay',
    reasons: { internalError: 'internal error' },
  },
  {
    code: 1012,
    name: 'serviceRestart',
    meaning: 'restarting',
    reconnect: 'delay',
    isForeign: true,
  },
  {
    code: 1013,
    name: 'tryAgainLater',
    meaning: 'out of memory, or tokens cannot be checked',
    reconnect: 'delay',
    reasons: { outOfMemory: 'MEMORY_BUDGET is used up', tryAgainLater: 'try again later' },
  },
  {
    code: 4401,
    name: 'tokenExpired',
    meaning: 'the token expired',
    reconnect: 'token',
    reasons: { tokenExpired: 'the token expired' },
    feature: 'auth',
  },
  {
    code: 4408,
    name: 'slowConsumer',
    meaning: 'the client reads too slowly',
    reconnect: 'delay',
    reasons: { slowConsumer: 'client reads too slowly' },
  },
  {
    code: 4409,
    name: 'lostPosition',
    meaning: "the server lost the client's position",
    reconnect: 'now',
    reasons: { lostPosition: 'the position was lost' },
    feature: 'redis',
  },
  {
    code: 4429,
    name: 'tooManyConnections',
    meaning: 'the user has too many connections',
    reconnect: 'delay',
    reasons: { tooManyConnections: 'too many connections' },
    feature: 'rate-limit',
  },
  {
    code: 4500,
    name: 'authTimeout',
    meaning: 'no token within the time',
    reconnect: 'no',
    reasons: { authTimeout: 'no token within the time' },
    feature: 'auth',
  },
  {
    code: 4501,
    name: 'authFailed',
    meaning: 'the token was refused',
    reconnect: 'token-once',
    reasons: { authFailed: 'the token was refused' },
    feature: 'auth',
  },
  {
    code: 4502,
    name: 'revoked',
    meaning: 'the user or the token was revoked',
    reconnect: 'no',
    reasons: { revoked: 'the user or the token was revoked' },
    feature: 'auth',
  },
  {
    code: 4503,
    name: 'forbidden',
    meaning: 'the user may not read the document',
    reconnect: 'no',
    reasons: { forbidden: 'you may not read the document' },
    type: 'collab',
  },
];

/** The codes that a server of `type` with `features` uses, or its clients see. */
function codesOf(features: readonly Feature[], type: ServerType): readonly CloseCode[] {
  return CLOSE_CODES.filter(
    ({ feature, isForeign, type: only = type }) =>
      isForeign !== true && (feature === undefined || features.includes(feature)) && only === type,
  );
}

function reconnectText({ reconnect, when }: CloseCode): string {
  return when ?? RECONNECT[reconnect];
}

/** All codes, for docs/. */
export function closeCodeTable(): string {
  return table(
    ['code', 'name', 'meaning', 'reconnect'],
    CLOSE_CODES.map((row) => [String(row.code), row.name, row.meaning, reconnectText(row)]),
  );
}

/** Those of a server of `type` with `features`, for its README. */
export function serverCloseCodeTable(features: readonly Feature[], type: ServerType): string {
  return table(
    ['code', 'meaning', 'reconnect'],
    codesOf(features, type).map((row) => [
      String(row.code),
      row.meaningOf?.[type] ?? row.meaning,
      // Without messages of its own it does not say when to come back.
      isOfProtocols(type) ? RECONNECT[row.reconnect] : reconnectText(row),
    ]),
  );
}

/** The entries of `CLOSE_CODES` in a server's `close-codes.ts`, as TypeScript. */
export function serverCloseCodes(features: readonly Feature[], type: ServerType): string {
  return codesOf(features, type)
    .flatMap(({ code, reconnect, reasons, reasonsOf }) =>
      Object.entries({ ...reasons, ...reasonsOf?.[type] }).map(
        ([name, reason]) =>
          `  ${name}: { code: ${code}, reason: '${reason}', reconnect: '${reconnect}' },\n`,
      ),
    )
    .join('');
}
