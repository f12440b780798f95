/** Typed events. What a handler throws reaches the program, but not the client. */
export class Emitter<Events> {
  readonly #handlers = new Map<PropertyKey, Set<(event: never) => void>>();

  /** Calls `handler` for each event `name`, until the function that this returns is called. */
  on<Name extends keyof Events>(name: Name, handler: (event: Events[Name]) => void): () => void {
    // A function of its own, so that a handler that is added twice is called twice.
    const own = (event: Events[Name]): void => handler(event);
    const handlers = this.#handlers.get(name) ?? new Set();
    this.#handlers.set(name, handlers.add(own));
    return () => void handlers.delete(own);
  }

  protected emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const handler of [...(this.#handlers.get(name) ?? [])]) {
      try {
        (handler as (event: Events[Name]) => void)(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
