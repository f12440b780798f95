import type { OnMessage } from '../hooks.ts';

/**
 * Looks at each message before anybody gets it: return another text to change it, or
 * `{ refuse: 'why' }` to refuse it. As generated, messages stay as they are.
 */
export const onMessage: OnMessage = ({ text }) => ({ text });
