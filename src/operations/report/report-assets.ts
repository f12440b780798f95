import { readAssets, type PageAssets } from '../../report/page.ts';

/** Reads the page's style and scripts; the single-file bundle replaces this module by their text. */
export function reportAssets(): PageAssets {
  const shared = '../../report/assets';
  return readAssets(import.meta.url, {
    css: [`${shared}/base.css`, `${shared}/parts.css`, 'assets/page.css'],
    js: [`${shared}/elements.js`, `${shared}/theme.js`, 'assets/page.js'],
  });
}
