/** What JSON-RPC 2.0 calls a request's id, without null, which MCP forbids. */
export type RequestId = string | number;

/** A message of JSON-RPC 2.0, as far as a transport looks at one. */
export interface JsonRpcMessage {
  readonly jsonrpc: '2.0';
  readonly id?: RequestId | null | undefined;
  readonly method?: string | undefined;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

export type JsonRpcRequest = JsonRpcMessage & { readonly id: RequestId; readonly method: string };
export type JsonRpcResponse = JsonRpcMessage & { readonly id: RequestId };

export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;
/** What the SDKs call "connection closed". */
export const CONNECTION_CLOSED = -32000;

/** The message in a text, or the code and the words of what is wrong with it. */
export type Parsed =
  | { readonly message: JsonRpcMessage }
  | {
      readonly message?: never;
      readonly code: typeof PARSE_ERROR | typeof INVALID_REQUEST;
      readonly reason: string;
      /** What it is about, as far as that can be told. */
      readonly id: RequestId | null;
      /** Whether it asks for something, so that an answer is waited for. */
      readonly asks: boolean;
    };

/** Deeper messages can be read, but not written again: that recurses. */
const MAX_DEPTH = 1000;

export function parseMessage(text: string): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const reason = 'Parse error: the message is not JSON';
    return { code: PARSE_ERROR, reason, id: null, asks: false };
  }
  const isBatch = Array.isArray(value);
  const isDeep = !isBatch && isTooDeep(text);
  if (!isBatch && !isDeep && isMessage(value)) return { message: value };
  const { id, method } = (value ?? {}) as { id?: unknown; method?: unknown };
  const what = isBatch
    ? 'MCP has no batches'
    : isDeep
      ? `values are nested more than ${MAX_DEPTH} deep`
      : 'not a message of JSON-RPC 2.0';
  return {
    code: INVALID_REQUEST,
    reason: `Invalid Request: ${what}`,
    id: isId(id) ? id : null,
    asks: method !== undefined,
  };
}

function isTooDeep(text: string): boolean {
  let openings = 0;
  for (const bracket of text.length < 2 * MAX_DEPTH ? [] : ['[', '{']) {
    let at = text.indexOf(bracket);
    while (at >= 0 && openings++ < MAX_DEPTH) at = text.indexOf(bracket, at + 1);
  }
  if (openings <= MAX_DEPTH) return false;
  let depth = 0;
  let isInText = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (isInText) {
      if (character === '\\') at += 1;
      else if (character === '"') isInText = false;
    } else if (character === '"') isInText = true;
    else if (character === '[' || character === '{') depth += 1;
    else if (character === ']' || character === '}') depth -= 1;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

function isMessage(value: unknown): value is JsonRpcMessage {
  if (typeof value !== 'object' || value === null) return false;
  const { jsonrpc, id, method, params, result, error } = value as Record<string, unknown>;
  if (jsonrpc !== '2.0') return false;
  if (method !== undefined) {
    // The SDKs leave requests with other ids and parameters without an answer.
    const isNamed = params == null || (typeof params === 'object' && !Array.isArray(params));
    return typeof method === 'string' && isNamed && (id === undefined || isId(id));
  }
  if (error !== undefined) return id === undefined || id === null || isId(id);
  return result !== undefined && isId(id);
}

function isId(id: unknown): id is RequestId {
  return typeof id === 'string' || Number.isSafeInteger(id);
}

export function isRequest(message: JsonRpcMessage): message is JsonRpcRequest {
  return message.method !== undefined && isId(message.id);
}

/** A result or an error that says which request it answers. */
export function isResponse(message: JsonRpcMessage): message is JsonRpcResponse {
  return message.method === undefined && isId(message.id);
}

export function errorReply(id: RequestId | null, code: number, message: string): JsonRpcMessage {
  return { jsonrpc: '2.0', id, error: { code, message } };
}

/** The parameters of a message as an object; an empty one where they are none. */
export function paramsOf(message: JsonRpcMessage): Readonly<Record<string, unknown>> {
  const { params } = message;
  return typeof params === 'object' && params !== null ? (params as Record<string, unknown>) : {};
}
