import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { redact } from '../core/redact.ts';
import { html, markup, type Markup } from './html.ts';

/** Style sheets and scripts of a page, each as one text. */
export interface PageAssets {
  readonly css: string;
  readonly js: string;
}

/** The content of a report page. */
export interface Page {
  /** What kind of report it is, above the heading and in the window's title. */
  readonly kind: string;
  readonly heading: string;
  /** One line under the heading: what ran, when, for how long. */
  readonly meta: string;
  /** The first link, for keyboards: where the content starts. */
  readonly skip: { readonly to: string; readonly text: string };
  readonly contents?: Markup;
  readonly main: Markup;
  /** Keys the page's script knows. */
  readonly keys: Markup;
  readonly tool: { readonly version: string; readonly node: string; readonly platform: string };
  /** JSON for the page's script. */
  readonly data: unknown;
  readonly assets: PageAssets;
}

/**
 * Renders a report page: one file that loads nothing else.
 *
 * Its content security policy lets only this style and these scripts run, so text of a peer stays
 * text even if an escape is missing.
 */
export function renderPage(page: Page): string {
  const { css, js } = page.assets;
  const { version, node, platform } = page.tool;
  const policy = markup(
    `default-src 'none'; img-src data:; style-src ${sha256(css)}; script-src ${sha256(js)}; base-uri 'none'; form-action 'none'`,
  );
  // Whole elements: white space inside them would change their hashes.
  const style = markup(`<style>${css}</style>`);
  const script = markup(`<script>${js}</script>`);
  const data = markup(`<script type="application/json" id="data">${embed(page.data)}</script>`);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${page.kind}: ${page.heading}</title>
        <link rel="icon" href="data:," />
        ${style}
      </head>
      <body>
        <a class="skip" href="#${page.skip.to}">${page.skip.text}</a>
        <header class="head">
          <div>
            <p class="kicker">${page.kind} report</p>
            <h1>${breakable(page.heading)}</h1>
            <p class="meta">${page.meta}</p>
          </div>
          <button id="theme" class="quiet" type="button" aria-label="Colours: as the system">
            Auto
          </button>
        </header>
        ${page.contents}
        <main>${page.main}</main>
        <footer class="foot">
          <p class="keys">${page.keys}</p>
          <p>websocket-skill ${version} on Node ${node}, ${platform}</p>
        </footer>
        ${data} ${script}
      </body>
    </html>`.markup;
}

/** Reads and joins assets; names are relative to `module`, the `import.meta.url` of the caller. */
export function readAssets(
  module: string,
  files: { readonly css: readonly string[]; readonly js: readonly string[] },
): PageAssets {
  const join = (names: readonly string[]): string =>
    names.map((name) => readFileSync(new URL(name, module), 'utf8')).join('\n');
  return { css: join(files.css), js: join(files.js) };
}

/** Text, mostly a URL, that is broken behind the parts of a URL rather than within them. */
function breakable(text: string): Markup[] {
  return redact(text)
    .split(/(?<=[/?&])/)
    .map((part) => html`${part}<wbr />`);
}

function sha256(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** JSON that cannot end the script element it stands in. */
function embed(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
