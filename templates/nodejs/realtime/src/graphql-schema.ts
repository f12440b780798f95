import { readFileSync } from 'node:fs';
import { buildSchema, isObjectType, isScalarType } from 'graphql';
import type { GraphQLFieldResolver, GraphQLScalarType, GraphQLSchema } from 'graphql';
import type { Identity } from './hooks.ts';

/** The schema of this server; this file is in `dist/src/`. */
const SCHEMA = new URL('../../src/handlers/schema.graphql', import.meta.url);

/** What every resolver gets to know of the client. */
export interface GraphqlContext {
  readonly user: string;
  readonly identity: Identity;
  /** The id of the connection. */
  readonly client: string;
}

/**
 * Takes the parent value, the arguments and the context. Arguments have the types that the schema says;
 * nobody can check here that the function says the same.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Resolver = GraphQLFieldResolver<any, GraphqlContext>;

/** How a scalar of the schema's own is read and written. */
export type Scalar = Partial<Pick<GraphQLScalarType, 'serialize' | 'parseValue' | 'parseLiteral'>>;

/** By type and field; a field without one is the property of its parent value. */
export type Resolvers = Readonly<Record<string, Readonly<Record<string, Resolver>> | Scalar>>;

/**
 * The schema with its resolvers.
 * @throws {Error} when they do not fit together.
 */
export function createSchema(
  resolvers: Resolvers,
  text = readFileSync(SCHEMA, 'utf8'),
): GraphQLSchema {
  const schema = parseSchema(text);
  const fail = (message: string): never => {
    throw new Error(`src/handlers/resolvers.ts: ${message}`);
  };
  const subscription = schema.getSubscriptionType();
  for (const [name, own] of Object.entries(resolvers)) {
    const type = schema.getType(name);
    if (isScalarType(type)) Object.assign(type, own);
    else if (isObjectType(type)) {
      const fields = type.getFields();
      for (const [fieldName, resolve] of Object.entries(own as Record<string, Resolver>)) {
        const field = fields[fieldName] ?? fail(`the schema has no ${name}.${fieldName}`);
        if (type === subscription) {
          field.subscribe = resolve;
          field.resolve = (value) => value;
        } else field.resolve = resolve;
      }
    } else fail(`the schema has no type ${name} with fields`);
  }
  for (const type of [schema.getQueryType(), schema.getMutationType(), subscription]) {
    for (const field of Object.values(type?.getFields() ?? {})) {
      if (field.resolve === undefined) fail(`expected ${type?.name ?? ''}.${field.name}`);
    }
  }
  return schema;
}

function parseSchema(text: string): GraphQLSchema {
  try {
    return buildSchema(text);
  } catch (error) {
    throw new Error(`src/handlers/schema.graphql: ${String(error)}`, { cause: error });
  }
}
