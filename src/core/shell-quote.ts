/** A command line for a POSIX shell: `words`, quoted where the shell would change them. */
export function shellQuote(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}
