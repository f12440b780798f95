import type { HeaderField, RequestHead } from '../../protocol/index.ts';
import type { HeadEdit } from '../script.ts';

/** A head on its way to the wire; a field without a name is a line as it stands. */
export interface HeadDraft {
  readonly start: string;
  readonly fields: readonly HeaderField[];
}

/** What stands for the placeholders of edits. */
export type Placeholders = Readonly<Record<'path' | 'host' | 'key' | 'accept', string>>;

/** Makes the changes of a case to an ordinary head, one after the other. */
export function editHead(
  draft: HeadDraft,
  edits: readonly HeadEdit[],
  placeholders: Placeholders,
): HeadDraft {
  return edits.reduce((before, edit) => applyEdit(before, fillIn(edit, placeholders)), draft);
}

export function encodeHead({ start, fields }: HeadDraft): Buffer {
  const lines = fields.map(({ name, value }) => (name === '' ? value : `${name}: ${value}`));
  return Buffer.from([start, ...lines, '', ''].join('\r\n'), 'latin1');
}

/** The request that a draft is, for the rules that responses are held against. */
export function asRequest({ start, fields }: HeadDraft): RequestHead {
  const [method = '', target = '', version = ''] = start.split(' ');
  const named = fields.filter(({ name }) => name !== '');
  return { kind: 'request', method, target, version, fields: named, flaws: [] };
}

function applyEdit({ start, fields }: HeadDraft, edit: HeadEdit): HeadDraft {
  switch (edit.edit) {
    case 'start':
      return { start: edit.line, fields };
    case 'drop':
      return { start, fields: fields.filter((field) => !isNamed(field, edit.name)) };
    case 'set':
      return { start, fields: setField(fields, edit) };
    case 'add':
      return { start, fields: [...fields, { name: edit.name, value: edit.value }] };
    case 'line':
      return { start, fields: [...fields, { name: '', value: edit.line }] };
    case 'letters': {
      const rename = (name: string): string =>
        edit.to === 'upper' ? name.toUpperCase() : name.toLowerCase();
      return { start, fields: fields.map(({ name, value }) => ({ name: rename(name), value })) };
    }
    case 'reverse':
      return { start, fields: [...fields].reverse() };
  }
}

function setField(fields: readonly HeaderField[], { name, value }: HeaderField): HeaderField[] {
  const at = fields.findIndex((field) => isNamed(field, name));
  return at < 0 ? [...fields, { name, value }] : fields.with(at, { name, value });
}

function isNamed(field: HeaderField, name: string): boolean {
  return field.name.toLowerCase() === name.toLowerCase();
}

function fillIn(edit: HeadEdit, placeholders: Placeholders): HeadEdit {
  const fill = (text: string): string =>
    text
      .replace('{accept in lower case}', placeholders.accept.toLowerCase())
      .replace(/\{(path|host|key|accept)\}/g, (_, name: keyof Placeholders) => placeholders[name]);
  switch (edit.edit) {
    case 'start':
    case 'line':
      return { ...edit, line: fill(edit.line) };
    case 'set':
    case 'add':
      return { ...edit, value: fill(edit.value) };
    case 'drop':
    case 'letters':
    case 'reverse':
      return edit;
  }
}
