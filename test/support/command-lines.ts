/** One command line of ours in a document. */
export interface CommandLine {
  /** 1-based. */
  readonly line: number;
  /** The words behind the program's name. */
  readonly words: readonly string[];
  /** Whether it stands for many: it holds a `<placeholder>`, `[optional]` words or an ellipsis. */
  readonly isPattern: boolean;
}

/** How a user or an agent calls this program; the longest form that fits counts. */
const PROGRAM =
  /^(?:\$ )?(?:npx (?:-y )?websocket-skill|websocket-skill|\/skill websocket|\/websocket|node "?\S*websocket\.mjs"?)(?=\s|$)/;

/**
 * Lists the command lines of ours in the fenced and the inline code of a Markdown text.
 *
 * A fenced line may go on behind a backslash; what follows `&&`, `;`, `|`, `>` or ` #` is not ours.
 */
export function commandLinesOf(markdown: string): CommandLine[] {
  return codeOf(markdown).flatMap(({ line, code }) =>
    // A person types `cd x && websocket-skill ...` too: each part between operators is a candidate.
    splitAtOperators(code).flatMap((part) => {
      const text = part.trim();
      const program = PROGRAM.exec(text)?.[0];
      if (program === undefined) return [];
      const words = splitWords(text.slice(program.length));
      return words.length === 0 ? [] : [{ line, words, isPattern: words.some(isPlaceholder) }];
    }),
  );
}

function codeOf(markdown: string): { line: number; code: string }[] {
  const found: { line: number; code: string }[] = [];
  const lines = markdown.split('\n');
  let isFenced = false;
  for (let index = 0; index < lines.length; index += 1) {
    const line = index + 1;
    let text = lines[index] ?? '';
    if (/^\s*```/.test(text)) {
      isFenced = !isFenced;
    } else if (isFenced) {
      while (text.endsWith('\\')) text = `${text.slice(0, -1)} ${(lines[++index] ?? '').trim()}`;
      found.push({ line, code: text });
    } else {
      // In prose a code span may be broken between two lines.
      const span = /`([^`]+)`/g;
      const joined = `${text}\n${lines[index + 1] ?? ''}`;
      for (const match of joined.matchAll(span)) {
        if (match.index < text.length)
          found.push({ line, code: (match[1] ?? '').replace('\n', ' ') });
      }
    }
  }
  return found;
}

function splitAtOperators(code: string): string[] {
  const quotedOrOperator = /"[^"]*"|'[^']*'|&&|[;|]|(?<=\s)>(?=\s)|\s#\s/g;
  const parts: string[] = [];
  let at = 0;
  for (const match of code.matchAll(quotedOrOperator)) {
    if (/^["']/.test(match[0])) continue;
    parts.push(code.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[0].trim() === '#') return parts;
  }
  return [...parts, code.slice(at)];
}

/** Splits as a shell does, as far as documents need it: blanks, single and double quotes. */
function splitWords(text: string): string[] {
  return [...text.matchAll(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g)].map(([word]) =>
    word.replace(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) =>
      double === undefined ? (single ?? '') : double,
    ),
  );
}

function isPlaceholder(word: string): boolean {
  return /^<.*>$|^\[|\]$|\.\.\.$|…/.test(word);
}
