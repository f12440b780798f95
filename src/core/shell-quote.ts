/** A command line for a POSIX shell: `words`, quoted where the shell would change them. */
export function shellQuote(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

/** A path as a word of a command: one that starts with a dash would be an option. */
export function localPath(path: string): string {
  return path.startsWith('-') ? `./${path}` : path;
}
