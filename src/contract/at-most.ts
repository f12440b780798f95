/** `run`, of which so many calls are under way at most; the others wait, in their order. */
export function atMost<A extends readonly unknown[], T>(
  lanes: number,
  run: (...args: A) => Promise<T>,
): (...args: A) => Promise<T> {
  let free = lanes;
  const waiting: (() => void)[] = [];
  return async (...args) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await run(...args);
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
