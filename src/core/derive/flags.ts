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
  /** Another spelling, as users of another program know it. */
  readonly alias: string | undefined;
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

/** What a flag needs of a schema, in the words of JSON Schema, and our own `meta` keys. */
interface Property {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly items?: Property;
  readonly description?: string | undefined;
  readonly flag?: string;
  readonly alias?: string;
  readonly separator?: string;
  readonly placeholder?: string;
  readonly positional?: boolean;
  readonly expected?: string;
  /** What an absent field becomes where the schema itself leaves it absent. */
  readonly default?: unknown;
}

/** Lists the fields of `operation.input` in the order of the schema. */
export function flagsOf(operation: Pick<OperationDefinition, 'input'>): Flag[] {
  const fields = operation.input.shape as Readonly<Record<string, z.ZodType>>;
  return Object.entries(fields).map(([field, schema]) => toFlag(field, schema));
}

/** The parts of zod's definitions that `propertyOf` reads. */
interface Definition {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly out?: z.ZodType;
  readonly element?: z.ZodType;
}

/** Reads the input side of a schema; `z.toJSONSchema` knows more, but would delay every start. */
function propertyOf(schema: z.ZodType): Property {
  const { type, innerType, in: input, out, element } = schema.def as unknown as Definition;
  const meta: Property = schema.meta() ?? {};
  if (innerType !== undefined) return { ...propertyOf(innerType), ...meta };
  if (input !== undefined && out !== undefined) {
    return { ...propertyOf(input.def.type === 'transform' ? out : input), ...meta };
  }
  if (element !== undefined) return { type, items: propertyOf(element), ...meta };
  if (schema instanceof z.ZodEnum) return { type, enum: schema.options, ...meta };
  return { type, ...meta };
}

function defaultText(value: unknown, placeholder: string): string | undefined {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return undefined;
  if (typeof value === 'number' && placeholder === 'duration') return formatDuration(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function toFlag(field: string, schema: z.ZodType): Flag {
  const property = propertyOf(schema);
  const kind = kindOf(property);
  const value = kind === 'list' ? (property.items ?? {}) : property;
  const placeholder = property.placeholder ?? value.placeholder ?? placeholderOf(value, property);
  const absent = schema.safeParse(undefined);
  return {
    field,
    name: property.flag ?? kebab(field),
    kind,
    alias: property.alias,
    positional: property.positional === true,
    required: !absent.success,
    separator: property.separator,
    placeholder,
    description: property.description ?? '',
    default: absent.data ?? property.default,
    defaultText: defaultText(absent.data ?? property.default, placeholder),
    get expected() {
      if (property.expected !== undefined) return property.expected;
      return value.enum === undefined ? expectedOf(schema) : `one of ${value.enum.join(', ')}`;
    },
    choices: value.enum?.map(String),
  };
}

function kindOf(property: Property): Flag['kind'] {
  switch (property.type) {
    case 'boolean':
      return 'boolean';
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
function expectedOf(schema: z.ZodType): string {
  const whole = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  const json = whole.type === 'array' ? (whole.items as z.core.JSONSchema.JSONSchema) : whole;
  switch (json.type) {
    case 'integer':
      return `a whole number${rangeOf(json)}`;
    case 'number':
      return `a number${rangeOf(json)}`;
    case 'boolean':
      return 'true or false';
    default:
      return 'text';
  }
}

function rangeOf({ minimum, maximum, exclusiveMinimum }: z.core.JSONSchema.JSONSchema): string {
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
