import {
  getArgumentValues,
  getDirectiveValues,
  getNamedType,
  getNullableType,
  getOperationAST,
  getVariableValues,
  GraphQLError,
  isInterfaceType,
  isIntrospectionType,
  isListType,
  isObjectType,
  Kind,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import type {
  DocumentNode,
  FieldNode,
  GraphQLField,
  GraphQLNamedType,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionSetNode,
} from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import type { Config } from './config.ts';
import { faultOfJson } from './json.ts';

/** Items of a list where nothing says how many. */
const ASSUMED_SIZE = 10;
/** Arguments that say how many items a list has, where the schema does not name others. */
const SLICING_ARGUMENTS = ['first', 'last', 'limit'];
/** Errors of one document that are found. */
const MAX_ERRORS = 10;
/** Characters of the documents that are remembered. */
const MAX_REMEMBERED = 1_048_576;

/** What is executed. */
export interface Prepared {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operationName: string | null | undefined;
  readonly variableValues: Record<string, unknown> | null | undefined;
}

type Variables = Readonly<Record<string, unknown>>;

interface Measure {
  readonly depth: number;
  readonly cost: number;
}

/** Parses and checks what clients send; documents that are valid are checked once. */
export class Documents {
  readonly #schema: GraphQLSchema;
  readonly #config: Config;
  readonly #isIntrospectable: boolean;
  readonly #valid = new Map<string, DocumentNode>();
  #remembered = 0;
  /** Operations under way, of all clients, whichever protocol they speak. */
  running = 0;

  constructor(schema: GraphQLSchema, config: Config) {
    this.#schema = schema;
    this.#config = config;
    this.#isIntrospectable = config.GRAPHQL_INTROSPECTION ?? config.NODE_ENV !== 'production';
  }

  /** What to execute, or why not. */
  prepare({ query, operationName, variables }: SubscribePayload): Prepared | GraphQLError[] {
    const document = this.#valid.get(query) ?? this.#check(query);
    if (Array.isArray(document)) return document;
    const operation = getOperationAST(document, operationName);
    if (operation == null) {
      return [failure(operationName == null ? 'expected one operation' : 'no such operation')];
    }
    const errors = this.#measure(document, operation, variables ?? {});
    if (errors.length > 0) return errors;
    return { schema: this.#schema, document, operationName, variableValues: variables };
  }

  #check(query: string): DocumentNode | GraphQLError[] {
    const { GRAPHQL_MAX_DOCUMENT: maxBytes, GRAPHQL_MAX_TOKENS: maxTokens } = this.#config;
    if (Buffer.byteLength(query) > maxBytes) {
      return [failure(`query: expected at most ${String(maxBytes)} bytes`)];
    }
    let document: DocumentNode;
    try {
      document = parse(query, { maxTokens });
    } catch (error) {
      if (error instanceof GraphQLError) return [coded(error, 'GRAPHQL_PARSE_FAILED')];
      throw error;
    }
    const rules = this.#isIntrospectable
      ? specifiedRules
      : [...specifiedRules, NoSchemaIntrospectionCustomRule];
    const errors = validate(this.#schema, document, rules, { maxErrors: MAX_ERRORS });
    if (errors.length > 0) {
      return errors.map((error) => coded(error, 'GRAPHQL_VALIDATION_FAILED', this.#told(error)));
    }
    this.#remember(query, document);
    return document;
  }

  /** A message; where the schema is not told, without names in it that come near. */
  #told({ message }: GraphQLError): string {
    return this.#isIntrospectable ? message : message.replace(/ Did you mean [^?]*\?/, '');
  }

  #remember(query: string, document: DocumentNode): void {
    this.#valid.set(query, document);
    this.#remembered += query.length;
    for (const [oldest] of this.#valid) {
      if (this.#remembered <= MAX_REMEMBERED) return;
      this.#valid.delete(oldest);
      this.#remembered -= oldest.length;
    }
  }

  /** Why an operation is too much. */
  #measure(
    document: DocumentNode,
    operation: OperationDefinitionNode,
    given: Variables,
  ): GraphQLError[] {
    const config = this.#config;
    // First: what is nested too deep cannot be written, either.
    const fault = faultOfJson(given);
    if (fault !== undefined) return [failure(`variables: ${fault}`)];
    const maxBytes = config.GRAPHQL_MAX_VARIABLES;
    if (Buffer.byteLength(JSON.stringify(given)) > maxBytes) {
      return [failure(`variables: expected at most ${String(maxBytes)} bytes`)];
    }
    const { errors, coerced } = getVariableValues(
      this.#schema,
      operation.variableDefinitions ?? [],
      given,
      { maxErrors: MAX_ERRORS },
    );
    if (errors !== undefined) {
      return errors.map((error) => coded(error, 'BAD_USER_INPUT', this.#told(error)));
    }
    const { depth, cost } = new Meter(this.#schema, document, coerced).of(operation);
    const { GRAPHQL_MAX_DEPTH: maxDepth, GRAPHQL_MAX_COST: maxCost } = config;
    if (depth > maxDepth) {
      return [failure(`expected a depth of at most ${String(maxDepth)}, not ${String(depth)}`)];
    }
    if (cost > maxCost) {
      return [failure(`expected a cost of at most ${String(maxCost)}, not ${String(cost)}`)];
    }
    return [];
  }
}

/**
 * Measures an operation that is valid: how many fields are in each other, and what all cost, those of a list
 * as often as it may have items.
 */
class Meter {
  readonly #schema: GraphQLSchema;
  readonly #document: DocumentNode;
  readonly #variables: Variables;
  /** Each is measured once, however often it is spread. */
  readonly #fragments = new Map<string, Measure>();

  constructor(schema: GraphQLSchema, document: DocumentNode, variables: Variables) {
    this.#schema = schema;
    this.#document = document;
    this.#variables = variables;
  }

  of({ operation, selectionSet }: OperationDefinitionNode): Measure {
    return this.#set(selectionSet, this.#schema.getRootType(operation) ?? undefined);
  }

  #set(set: SelectionSetNode | undefined, type: GraphQLNamedType | undefined): Measure {
    let depth = 0;
    let cost = 0;
    for (const selection of set?.selections ?? []) {
      const part = this.#selection(selection, type);
      depth = Math.max(depth, part.depth);
      cost += part.cost;
    }
    return { depth, cost };
  }

  #selection(
    node: SelectionSetNode['selections'][number],
    type: GraphQLNamedType | undefined,
  ): Measure {
    switch (node.kind) {
      case Kind.FIELD:
        return this.#field(node, type);
      case Kind.INLINE_FRAGMENT: {
        const { typeCondition, selectionSet } = node;
        const inner = typeCondition && this.#schema.getType(typeCondition.name.value);
        return this.#set(selectionSet, inner ?? type);
      }
      case Kind.FRAGMENT_SPREAD:
        return this.#fragment(node.name.value);
    }
  }

  #fragment(name: string): Measure {
    const known = this.#fragments.get(name);
    if (known !== undefined) return known;
    const fragment = this.#document.definitions.find(
      (one) => one.kind === Kind.FRAGMENT_DEFINITION && one.name.value === name,
    );
    let measure: Measure = { depth: 0, cost: 0 };
    if (fragment?.kind === Kind.FRAGMENT_DEFINITION) {
      const type = this.#schema.getType(fragment.typeCondition.name.value);
      measure = this.#set(fragment.selectionSet, type);
    }
    this.#fragments.set(name, measure);
    return measure;
  }

  #field(node: FieldNode, parent: GraphQLNamedType | undefined): Measure {
    const hasFields = isObjectType(parent) || isInterfaceType(parent);
    const isOwn = hasFields && !isIntrospectionType(parent);
    const field = isOwn ? parent.getFields()[node.name.value] : undefined;
    // Of the schema itself, which is as large as it is, and whose depth graphql limits.
    if (field === undefined)
      return { depth: 1, cost: 1 + this.#set(node.selectionSet, undefined).cost };
    const inner = this.#set(node.selectionSet, getNamedType(field.type));
    const { weight } = hintsOf(this.#schema, field);
    return { depth: 1 + inner.depth, cost: weight + this.#size(node, field) * inner.cost };
  }

  /** How many values of its type a field has at most. */
  #size(node: FieldNode, field: Field): number {
    if (!isListType(getNullableType(field.type)) || node.selectionSet === undefined) return 1;
    const { assumedSize, slicingArguments } = hintsOf(this.#schema, field);
    const values = getArgumentValues(field, node, this.#variables);
    const asked = slicingArguments
      .map((name) => values[name])
      .filter((value) => typeof value === 'number');
    return asked.length === 0 ? assumedSize : Math.max(0, ...asked);
  }
}

type Field = GraphQLField<unknown, unknown>;

interface Hints {
  readonly weight: number;
  readonly assumedSize: number;
  readonly slicingArguments: readonly string[];
}

const hints = new WeakMap<Field, Hints>();

/** What the schema says of the cost of a field, with directives as in https://ibm.github.io/graphql-specs/cost-spec.html. */
function hintsOf(schema: GraphQLSchema, field: Field): Hints {
  const known = hints.get(field);
  if (known !== undefined) return known;
  const read = (name: string): Record<string, unknown> => {
    const directive = schema.getDirective(name);
    const values = directive && field.astNode && getDirectiveValues(directive, field.astNode);
    return values ?? {};
  };
  const { weight = 1 } = read('cost');
  const { assumedSize, slicingArguments } = read('listSize');
  const found: Hints = {
    weight: Number(weight),
    assumedSize: typeof assumedSize === 'number' ? assumedSize : ASSUMED_SIZE,
    slicingArguments: Array.isArray(slicingArguments) ? slicingArguments : SLICING_ARGUMENTS,
  };
  hints.set(field, found);
  return found;
}

function failure(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_REQUEST' } });
}

/** With the code that other servers give it, too. */
function coded(error: GraphQLError, code: string, message = error.message): GraphQLError {
  const { nodes = null, source = null, positions = null } = error;
  const extensions = { ...error.extensions, code };
  return new GraphQLError(message, { nodes, source, positions, extensions });
}
