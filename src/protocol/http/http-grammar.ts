/** A token: RFC 9110 section 5.6.2, the same set as in RFC 2616 that RFC 6455 refers to. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Splits a comma-separated list; empty elements are kept, so that rules can report them. */
export function splitList(value: string): string[] {
  return value.split(',').map((element) => element.replace(/^[ \t]+|[ \t]+$/g, ''));
}

/** Whether a list holds `token`, whatever its case; empty elements do not count (RFC 9110 5.6.1). */
export function listIncludes(values: readonly string[], token: string): boolean {
  return values.some((value) =>
    splitList(value).some((element) => element.toLowerCase() === token.toLowerCase()),
  );
}

const MAX_QUOTED_CHARS = 120;

/** Quotes what a peer sent for a report: escaped, on one line and shortened. */
export function quote(text: string): string {
  const cut = text.length > MAX_QUOTED_CHARS ? `${text.slice(0, MAX_QUOTED_CHARS)}…` : text;
  return JSON.stringify(cut);
}
