import type { Documents } from '../documents.ts';

/**
 * Called before the server listens: create documents here, and change them whenever something happens.
 * `documents.put(name, value)` sends the difference, `documents.patch(name, operations)` is RFC 6902.
 */
export async function start(documents: Documents, isDemo: boolean): Promise<void> {
  await documents.put('status', { state: 'running', since: new Date().toISOString() });
  if (!isDemo) return;
  // An example of a document that changes: a few prices, one of them each second.
  const prices: Record<string, number> = { apple: 100, bread: 250, coffee: 500 };
  await documents.put('prices', prices);
  setInterval(() => {
    const names = Object.keys(prices);
    const name = names[Math.floor(Math.random() * names.length)] ?? 'apple';
    const price = (prices[name] ?? 100) + Math.round(Math.random() * 10) - 5;
    prices[name] = Math.max(1, price);
    // One that is refused is made up for by the next.
    documents.put('prices', prices).catch(() => undefined);
  }, 1000).unref();
}
