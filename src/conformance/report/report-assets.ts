import { readFileSync } from 'node:fs';

/** The parts of the page as they stand in `assets/`. */
export interface ReportAssets {
  readonly html: string;
  readonly css: string;
  readonly js: string;
}

/** In the order in which the page runs them: they share one scope. */
const SCRIPTS = ['elements.js', 'filters.js', 'grid.js', 'detail.js', 'page.js'];

/**
 * Reads the page's files from the folder beside this module. The single-file bundle replaces this
 * module by one that holds them.
 */
export function reportAssets(): ReportAssets {
  const read = (name: string): string =>
    readFileSync(new URL(`assets/${name}`, import.meta.url), 'utf8');
  return { html: read('page.html'), css: read('page.css'), js: SCRIPTS.map(read).join('\n') };
}
