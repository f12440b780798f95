import * as z from 'zod';
import { formatDuration } from '../fields.ts';
import type { OperationDefinition } from '../operation.ts';

/** One field of an operation's input, for the command line, the documents and error messages. */
export interface Flag {
  /** The field's name in the input: `maxPayload`. */
  readonly field: string;
  /** Without dashes: `max-payload`. */
  readonly name: string;
  readonly kind: 'boolean' | 'number' | 'string' | 'list';
  /** Whether it is given without a flag, in the order of the schema. */
  readonly positional: boolean;
  readonly required: boolean;
  /** What splits one value into a list; without it a list is a repeated flag. */
  readonly separator: string | undefined;
  readonly placeholder: string;
  readonly description: string;
  readonly default: unknown;
  /** The default as a user would type it, `5s`; undefined where there is none. */
  readonly defaultText: string | undefined;
  /** What a value (for a list: one element) may be, as text. */
  readonly expected: string;
  /** The values of an enum. */
  readonly choices: readonly string[] | undefined;
}

/** The part of JSON Schema that zod writes for our inputs, and our own `meta` keys. */
interface Property {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly items?: Property;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly description?: string;
  readonly flag?: string;
  readonly separator?: string;
  readonly placeholder?: string;
  readonly positional?: boolean;
  readonly expected?: string;
}

/** Lists the fields of `operation.input` in the order of the schema. */
export function flagsOf(operation: Pick<OperationDefinition, 'input'>): Flag[] {
  const schema = z.toJSONSchema(operation.input, { io: 'input', unrepresentable: 'any' });
  const required = new Set(schema.required ?? []);
  const fields = operation.input.shape as Readonly<Record<string, z.ZodType>>;
  return Object.entries((schema.properties ?? {}) as Record<string, Property>).map(
    ([field, property]) => {
      const flag = toFlag(field, property);
      const value = fields[field]?.safeParse(undefined).data;
      return {
        ...flag,
        required: required.has(field),
        default: value,
        defaultText: defaultText(value, flag.placeholder),
      };
    },
  );
}

function defaultText(value: unknown, placeholder: string): string | undefined {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return undefined;
  if (typeof value === 'number' && placeholder === 'duration') return formatDuration(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function toFlag(
  field: string,
  property: Property,
): Omit<Flag, 'required' | 'default' | 'defaultText'> {
  const kind = kindOf(property);
  const value = kind === 'list' ? (property.items ?? {}) : property;
  return {
    field,
    name: property.flag ?? kebab(field),
    kind,
    positional: property.positional === true,
    separator: property.separator,
    placeholder: property.placeholder ?? value.placeholder ?? placeholderOf(value, property),
    description: property.description ?? '',
    expected: property.expected ?? expectedOf(value),
    choices: value.enum?.map(String),
  };
}

function kindOf(property: Property): Flag['kind'] {
  switch (property.type) {
    case 'boolean':
      return 'boolean';
    case 'integer':
    case 'number':
      return 'number';
    case 'array':
      return 'list';
    default:
      return 'string';
  }
}

function placeholderOf(value: Property, property: Property): string {
  const separator = property.separator ?? '|';
  if (value.enum !== undefined) return value.enum.join(separator);
  if (property.separator !== undefined) return `a${separator}b`;
  return kindOf(value) === 'number' ? 'number' : 'text';
}

/** `a whole number from 1 to 65535`, `one of echo, chat`, `text`. */
function expectedOf(property: Property): string {
  if (property.enum !== undefined) return `one of ${property.enum.join(', ')}`;
  switch (property.type) {
    case 'integer':
      return `a whole number${rangeOf(property)}`;
    case 'number':
      return `a number${rangeOf(property)}`;
    case 'boolean':
      return 'true or false';
    default:
      return 'text';
  }
}

function rangeOf({ minimum, maximum, exclusiveMinimum }: Property): string {
  const low = exclusiveMinimum === undefined ? minimum : `above ${exclusiveMinimum}`;
  // zod writes the largest safe integer where a schema has no maximum.
  const high = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (low === undefined) return high === undefined ? '' : ` up to ${high}`;
  if (typeof low === 'string') return ` ${low}${high === undefined ? '' : ` and up to ${high}`}`;
  return high === undefined ? ` of at least ${low}` : ` from ${low} to ${high}`;
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
