/**
 * Makes text that may come from a peer fit for people: control characters, invisible ones and
 * those that turn the direction of writing are shown as `\u202e`.
 *
 * This is not an escape for HTML, XML or Prometheus; each renderer does its own.
 */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`;
  });
}
