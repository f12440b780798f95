import { existsSync, readFileSync } from 'node:fs';

/** The parts of the page, the plotting library among them. */
export interface ReportAssets {
  readonly html: string;
  readonly css: string;
  readonly js: string;
}

/** In the order in which the page runs them: they share one scope. */
const SCRIPTS = [
  '../../report/assets/elements.js',
  'assets/axes.js',
  'assets/chart.js',
  'assets/page.js',
];

/** Where uPlot stands: the build puts it beside the other assets, the sources have the package. */
const LIBRARIES = ['assets/uplot/', '../../../node_modules/uplot/dist/'];

/**
 * Reads the page's files from the folder beside this module. The single-file bundle replaces this
 * module by one that holds them.
 */
export function reportAssets(): ReportAssets {
  const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');
  const library = LIBRARIES.find((folder) => existsSync(new URL(folder, import.meta.url))) ?? '';
  const own = SCRIPTS.map(read);
  return {
    html: read('assets/page.html'),
    css: [read(`${library}uPlot.min.css`), read('assets/page.css')].join('\n'),
    js: [license(read), read(`${library}uPlot.iife.min.js`), ...own].join('\n'),
  };
}

/** The licence of uPlot asks to stand in every copy. */
function license(read: (name: string) => string): string {
  const places = ['assets/uplot/LICENSE', '../../../node_modules/uplot/LICENSE'];
  const place = places.find((name) => existsSync(new URL(name, import.meta.url))) ?? '';
  return `/*! uPlot\n${read(place)}\n*/`;
}
