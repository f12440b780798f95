/** Segments of a topic, and characters of the whole. */
const MAX_SEGMENTS = 8;
const MAX_LENGTH = 255;

/** A topic: segments of letters, digits, `_` and `-`, joined by `.`. */
export function isTopic(text: string): boolean {
  return isList(text, isLiteral);
}

/**
 * A pattern of topics: `*` stands for exactly one segment, a last `#` for zero or more. Whether it would match
 * too much is another question: see `isTooBroad`.
 */
export function isPattern(text: string): boolean {
  return isList(
    text,
    (segment, isLast) => isLiteral(segment) || segment === '*' || (segment === '#' && isLast),
  );
}

/** Whether the first segment of a pattern, which names its stream, is left open. */
export function isTooBroad(pattern: string): boolean {
  return !isLiteral(streamOf(pattern));
}

/** The first segment of a topic or pattern: those that share it are one stream. */
export function streamOf(topic: string): string {
  return topic.split('.', 1)[0] ?? '';
}

/** Whether `topic` is one of those that `pattern` stands for. */
export function matches(pattern: string, topic: string): boolean {
  const segments = topic.split('.');
  const parts = pattern.split('.');
  const isOpen = parts.at(-1) === '#';
  if (isOpen) parts.pop();
  if (isOpen ? segments.length < parts.length : segments.length !== parts.length) return false;
  return parts.every((part, index) => part === '*' || part === segments[index]);
}

function isList(text: string, isValid: (segment: string, isLast: boolean) => boolean): boolean {
  if (text.length > MAX_LENGTH) return false;
  const segments = text.split('.');
  return (
    segments.length <= MAX_SEGMENTS &&
    segments.every((segment, index) => isValid(segment, index === segments.length - 1))
  );
}

function isLiteral(segment: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(segment);
}

interface Node<Subscriber> {
  /** By segment, `*` among them. */
  readonly next: Map<string, Node<Subscriber>>;
  /** Whose pattern ends here, and whose pattern has its `#` here. */
  readonly exact: Set<Subscriber>;
  readonly open: Set<Subscriber>;
}

/**
 * Who subscribed to which patterns, as a tree of segments: a topic takes at most two ways at each segment,
 * so that a match costs the same for ten patterns as for ten thousand.
 */
export class Topics<Subscriber> {
  readonly #root: Node<Subscriber> = newNode();

  add(pattern: string, subscriber: Subscriber): void {
    let node = this.#root;
    for (const segment of pattern.split('.')) {
      if (segment === '#') {
        node.open.add(subscriber);
        return;
      }
      let next = node.next.get(segment);
      if (next === undefined) {
        next = newNode();
        node.next.set(segment, next);
      }
      node = next;
    }
    node.exact.add(subscriber);
  }

  delete(pattern: string, subscriber: Subscriber): void {
    const way: { node: Node<Subscriber>; segment: string }[] = [];
    let node = this.#root;
    for (const segment of pattern.split('.')) {
      if (segment === '#') break;
      const next = node.next.get(segment);
      if (next === undefined) return;
      way.push({ node, segment });
      node = next;
    }
    (pattern.endsWith('#') ? node.open : node.exact).delete(subscriber);
    // What nobody needs any more is not kept.
    for (const step of way.reverse()) {
      if (node.next.size + node.exact.size + node.open.size > 0) return;
      step.node.next.delete(step.segment);
      node = step.node;
    }
  }

  /** Who gets a message of `topic`: each once, however many of its patterns match. */
  match(topic: string): ReadonlySet<Subscriber> {
    const segments = topic.split('.');
    const found: Set<Subscriber>[] = [];
    const visit = (node: Node<Subscriber>, depth: number): void => {
      if (node.open.size > 0) found.push(node.open);
      const segment = segments[depth];
      if (segment === undefined) {
        if (node.exact.size > 0) found.push(node.exact);
        return;
      }
      for (const way of [segment, '*']) {
        const next = node.next.get(way);
        if (next !== undefined) visit(next, depth + 1);
      }
    };
    visit(this.#root, 0);
    const [first, ...others] = found;
    if (first === undefined || others.length === 0) return first ?? new Set();
    return new Set(found.flatMap((subscribers) => [...subscribers]));
  }
}

function newNode<Subscriber>(): Node<Subscriber> {
  return { next: new Map(), exact: new Set(), open: new Set() };
}
