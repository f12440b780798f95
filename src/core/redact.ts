/**
 * Masks secrets in text that is printed or written to a report: user and password of URLs, query
 * parameters that carry a token, and values of header fields that authenticate.
 */
export function redact(text: string): string {
  return text
    .replace(USER_INFO, '$1***@')
    .replace(QUERY_TOKEN, '$1***')
    .replace(SECRET_FIELD, '$1$2***');
}

/** `ws://user:password@`, up to the last @ of the authority (RFC 3986 section 3.2.1). */
const USER_INFO = /\b((?:wss?|https?|rediss?):\/\/)[^/?#\s"'`<>\\]*@/gi;

/** `?token=...`, with & as it is written in HTML and in JSON inside of HTML. */
const QUERY_TOKEN =
  /((?:[?&;]|\\u0026)(?:[\w%.-]*(?:token|secret|password|passwd|session|bearer|credential)[\w%.-]*|api_?key|auth|authorization|code|jwt|key|pass|sid|sig|signature|ticket)=)[^&;#\s"'`<>\\]+/gi;

/** `Authorization: ...` to the end of its line, as text, in JSON or in a command. */
const SECRET_FIELD =
  /\b((?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]*(?:auth|token|secret|session|key)[\w-]*)(["']?\s*[:=]\s*["']?)[^\s"'`<>\\,;&][^\r\n"'`<>\\]*/gi;
