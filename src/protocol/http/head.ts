/** One header field, its value without the white space around it. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

interface Head {
  /** As `HTTP/1.1`. */
  readonly version: string;
  /** In order, repeated ones apart. */
  readonly fields: readonly HeaderField[];
  /** What breaks the grammar of HTTP; everything readable was read. */
  readonly flaws: readonly string[];
}

/** The head of an HTTP request: everything before the body. */
export interface RequestHead extends Head {
  readonly kind: 'request';
  readonly method: string;
  /** The request target as it was sent. */
  readonly target: string;
}

/** The head of an HTTP response: everything before the body. */
export interface ResponseHead extends Head {
  readonly kind: 'response';
  readonly status: number;
  readonly reason: string;
}

/** All values of a header field, in order; the name's case does not matter. */
export function fieldValues(head: Pick<Head, 'fields'>, name: string): string[] {
  const wanted = name.toLowerCase();
  return head.fields.filter((field) => field.name.toLowerCase() === wanted).map((f) => f.value);
}

/** The value of a header field, repeated ones joined by `, ` (RFC 9110 section 5.3). */
export function fieldValue(head: Pick<Head, 'fields'>, name: string): string | undefined {
  const values = fieldValues(head, name);
  return values.length === 0 ? undefined : values.join(', ');
}
