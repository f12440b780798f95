/**
 * Removes the parts of a template file that belong to features which are switched off.
 *
 * A template is a complete project with every feature on; whole-line comments mark its parts:
 *
 *     // #if rooms && !presence        or  # #if rooms   or  <!-- #if rooms -->
 *     …
 *     // #else
 *     //~ the alternative: commented out, because the template itself has the feature on
 *     // #endif
 */

/** Every feature the template knows, and whether it is on. */
export type Features = Readonly<Record<string, boolean>>;

interface Block {
  readonly line: number;
  readonly isOn: boolean;
  inElse: boolean;
}

const DIRECTIVE = /^\s*(?:\/\/|#|<!--) ?#(\w+)(?:\s+(.*?))?\s*(?:-->)?\s*$/;
const ALTERNATIVE = /^(\s*)(?:\/\/~|#~|<!--~) ?(.*?)(?:\s*-->)?$/;

/**
 * Returns `text` without markers and without what is switched off. Of the blank lines before and after a
 * removal, the larger number is left. `file` is for error messages.
 *
 * @throws Error for an unknown feature, an unbalanced marker or a stray `#else`: a template bug
 */
export function preprocess(text: string, features: Features, file: string): string {
  const output: string[] = [];
  const blocks: Block[] = [];
  let removed = false;
  /** Blank lines at the end of `output`, where the start of the file is one, and since the last removal. */
  let blanks = 1;
  let blanksSince = 0;
  for (const [index, line] of text.split('\n').entries()) {
    const fail = (message: string): never => {
      throw new Error(`${file}:${index + 1}: ${message}`);
    };
    if (step(line, { blocks, features, lineNumber: index + 1, fail })) {
      removed = true;
      blanksSince = 0;
      continue;
    }
    const kept = keep(line, blocks, fail);
    if (kept === undefined) {
      removed = true;
      blanksSince = 0;
      continue;
    }
    if (kept !== '') {
      removed = false;
      blanks = 0;
    } else {
      blanksSince += 1;
      if (removed && blanksSince <= blanks) continue;
      blanks += 1;
    }
    output.push(kept);
  }
  const open = blocks.at(-1);
  if (open !== undefined) throw new Error(`${file}:${open.line}: #if without #endif`);
  return output.join('\n');
}

interface StepContext {
  readonly blocks: Block[];
  readonly features: Features;
  readonly lineNumber: number;
  readonly fail: (message: string) => never;
}

/** Handles a marker line; false when `line` is none. */
function step(line: string, { blocks, features, lineNumber, fail }: StepContext): boolean {
  const match = DIRECTIVE.exec(line);
  if (match === null) return false;
  const [, word, condition = ''] = match;
  const block = blocks.at(-1);
  switch (word) {
    case 'if':
      blocks.push({ line: lineNumber, isOn: evaluate(condition, features, fail), inElse: false });
      return true;
    case 'else':
      if (block === undefined || block.inElse) return fail('stray #else');
      block.inElse = true;
      return true;
    case 'endif':
      if (blocks.pop() === undefined) return fail('stray #endif');
      return true;
    default:
      return fail(`unknown marker #${word ?? ''}`);
  }
}

/** What is left of a line that is no marker; undefined when it is switched off. */
function keep(
  line: string,
  blocks: readonly Block[],
  fail: (message: string) => never,
): string | undefined {
  const inElse = blocks.some((block) => block.inElse);
  const alternative = ALTERNATIVE.exec(line);
  if (inElse && alternative === null && line.trim() !== '') {
    return fail('a line after #else has to be commented out with ~');
  }
  if (!inElse && alternative !== null) return fail('a ~ comment outside of #else');
  if (!blocks.every((block) => block.isOn !== block.inElse)) return undefined;
  return alternative === null ? line : `${alternative[1] ?? ''}${alternative[2] ?? ''}`.trimEnd();
}

/**
 * Evaluates names, `!`, `&&` and `||`, in this order of precedence: `a && !b || c`.
 *
 * @throws Error for a feature that `features` does not name
 */
export function evaluate(
  condition: string,
  features: Features,
  fail: (message: string) => never,
): boolean {
  const valueOf = (term: string): boolean => {
    const [, not, name = ''] = /^\s*(!?)\s*([\w-]+)\s*$/.exec(term) ?? [];
    const isOn = Object.hasOwn(features, name) ? features[name] : undefined;
    if (isOn === undefined) return fail(`unknown feature in #if ${condition.trim()}`);
    return not === '!' ? !isOn : isOn;
  };
  // Every term is looked at, so that a misspelled one is always an error.
  return condition
    .split('||')
    .map((terms) => terms.split('&&').map(valueOf).every(Boolean))
    .some(Boolean);
}
