import { nodejs } from './nodejs.ts';

/** The languages that servers can be generated in. */
export const LANGUAGES = { nodejs } as const;
export type LanguageName = keyof typeof LANGUAGES;
