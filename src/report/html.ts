import { printable } from './printable.ts';

/** Markup, made by `html`, or by `markup` from a constant text. */
export interface Markup {
  readonly markup: string;
}

type Part = string | number | Markup | readonly Markup[] | undefined | false;

/** Takes `text` as markup without escaping; never call it with text of a peer. */
export function markup(text: string): Markup {
  return { markup: text };
}

/** Builds markup; parts that are not markup themselves are escaped. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return { markup: texts.map((text, at) => text + render(parts[at])).join('') };
}

function render(part: Part): string {
  if (part === undefined || part === false) return '';
  if (typeof part === 'number') return String(part);
  if (typeof part === 'string') return escapeHtml(part);
  return 'markup' in part ? part.markup : part.map(({ markup }) => markup).join('');
}

/** Escapes for text and quoted attributes, control characters made visible. */
function escapeHtml(text: string): string {
  return printable(text).replace(
    /[<>&"']/g,
    (character) =>
      ({ '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;', "'": '&#39;' })[character] ?? '',
  );
}
