import { existsSync } from 'node:fs';
import { readAssets, type PageAssets } from '../../report/page.ts';

/** The build copies uPlot beside the other assets; the sources have the package. */
const BUILT = { folder: 'assets/uplot/', license: 'assets/uplot/LICENSE' };
const PACKAGE = {
  folder: '../../../node_modules/uplot/dist/',
  license: '../../../node_modules/uplot/LICENSE',
};

/** Reads the page's style and scripts; the single-file bundle replaces this module by their text. */
export function reportAssets(): PageAssets {
  const isBuilt = existsSync(new URL(BUILT.folder, import.meta.url));
  const { folder, license } = isBuilt ? BUILT : PACKAGE;
  const read = (name: string): string => readAssets(import.meta.url, { css: [name], js: [] }).css;
  const { css, js } = readAssets(import.meta.url, {
    css: [
      `${folder}uPlot.min.css`,
      '../../report/assets/base.css',
      '../../report/assets/parts.css',
      'assets/page.css',
    ],
    // In the order in which the page runs them: they share one scope.
    js: [
      `${folder}uPlot.iife.min.js`,
      '../../report/assets/elements.js',
      '../../report/assets/theme.js',
      'assets/axes.js',
      'assets/chart.js',
      'assets/page.js',
    ],
  });
  // The licence of uPlot has to be in every copy.
  return { css, js: `/*! uPlot\n${read(license)}\n*/\n${js}` };
}
