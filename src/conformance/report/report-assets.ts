import { readAssets, type PageAssets } from '../../report/page.ts';

/** Reads the page's style and scripts; the single-file bundle replaces this module by their text. */
export function reportAssets(): PageAssets {
  return readAssets(import.meta.url, {
    css: ['../../report/assets/base.css', 'assets/page.css'],
    // In the order in which the page runs them: they share one scope.
    js: [
      '../../report/assets/elements.js',
      '../../report/assets/theme.js',
      'assets/filters.js',
      'assets/grid.js',
      'assets/detail.js',
      'assets/page.js',
    ],
  });
}
