import { go, goClient } from './go.ts';
import { nodejs } from './nodejs.ts';
import type { ClientLanguage, Language } from './language.ts';
import { python, pythonClient } from './python.ts';
import { typescript } from './typescript.ts';

/** The languages that servers can be generated in. */
export const LANGUAGES = { nodejs, python, go } as const satisfies Record<string, Language>;
export type LanguageName = keyof typeof LANGUAGES;

/** The languages that clients can be generated in; their template is `templates/<language>/client`. */
export const CLIENT_LANGUAGES = {
  typescript,
  python: pythonClient,
  go: goClient,
} as const satisfies Record<string, ClientLanguage>;
export type ClientLanguageName = keyof typeof CLIENT_LANGUAGES;
