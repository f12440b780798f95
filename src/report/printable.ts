/**
 * Makes text of a peer safe to read: control characters, invisible characters and those that change
 * the direction of writing become escapes such as `\u202e`.
 *
 * This is not an escape for HTML, XML or Markdown; each renderer does its own.
 */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, showCodePoint);
}

/** The same for the head of an HTTP message, whose line ends stay line ends. */
export function printableLines(text: string): string {
  return text.split(/\r?\n/).map(printable).join('\n');
}

/** JSON text with escapes for what a terminal would obey: `JSON.stringify` escapes C0 only. */
export function printableJson(json: string): string {
  return json.replace(/[^\P{C}\n]|[\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}

function showCodePoint(character: string): string {
  const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0' }[character];
  if (short !== undefined) return short;
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`;
}
