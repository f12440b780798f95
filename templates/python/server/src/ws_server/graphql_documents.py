"""What clients may execute: documents that are valid, and not too much."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    get_argument_values,
    get_directive_values,
    get_named_type,
    get_nullable_type,
    get_operation_ast,
    get_variable_values,
    is_introspection_type,
    is_list_type,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.values import VariableValues
from graphql.validation.rules import overlapping_fields_can_be_merged

from .config import Config
from .json_value import fault_of, write_json

# Items of a list where nothing says how many.
ASSUMED_SIZE = 10
# Arguments that say how many items a list has, where the schema does not name others.
SLICING_ARGUMENTS = ("first", "last", "limit")
# Errors of one document that are found.
MAX_ERRORS = 10
# Characters of the documents that are remembered: each takes some 200 bytes when it is parsed.
MAX_REMEMBERED = 131_072
# Fields with one name are compared with each other, which takes the more time the more there are.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 20_000


class Request(NamedTuple):
    """What a client wants to be executed."""

    query: str
    operation_name: str | None
    variables: dict[str, Any]


class Prepared(NamedTuple):
    """What is executed."""

    schema: GraphQLSchema
    document: DocumentNode
    operation: OperationDefinitionNode


class RefusedError(Exception):
    """A request is not executed; the errors say why."""

    def __init__(self, *errors: GraphQLError) -> None:
        """Say what the client is told."""
        super().__init__(*errors)
        self.errors = errors


class Documents:
    """Parses and checks what clients send; documents that are valid are checked once."""

    def __init__(self, schema: GraphQLSchema, config: Config) -> None:
        """Check against `schema`, and what `config` allows."""
        self._schema = schema
        self._config = config
        allowed = config.graphql_introspection
        self.is_introspectable = not config.is_production if allowed is None else allowed
        self._valid: dict[str, DocumentNode] = {}
        self._remembered = 0
        # Operations under way, of all clients, whichever protocol they speak.
        self.running = 0

    def prepare(self, request: Request) -> Prepared:
        """Return what to execute. Raises RefusedError."""
        try:
            document = self._valid.get(request.query) or self._check(request.query)
            operation = get_operation_ast(document, request.operation_name)
            if operation is None:
                is_named = request.operation_name is not None
                raise _bad("no such operation" if is_named else "expected one operation")
            self._measure(document, operation, request.variables)
        except RecursionError:
            raise _bad("query: nested too deeply") from None
        return Prepared(self._schema, document, operation)

    def _check(self, query: str) -> DocumentNode:
        config = self._config
        most = config.graphql_max_document
        if len(query.encode(errors="backslashreplace")) > most:
            raise _bad(f"query: expected at most {most} bytes")
        try:
            document = parse(
                query, max_tokens=config.graphql_max_tokens, allow_empty_selection_sets=False
            )
        except GraphQLError as error:
            raise RefusedError(_coded(error, "GRAPHQL_PARSE_FAILED")) from None
        rules = list(specified_rules)
        if not self.is_introspectable:
            rules.append(NoSchemaIntrospectionCustomRule)
        errors = validate(
            self._schema,
            document,
            rules,
            max_errors=MAX_ERRORS,
            # Names that come near are a part of the schema.
            hide_suggestions=not self.is_introspectable,
        )
        if errors:
            raise RefusedError(*(_coded(error, "GRAPHQL_VALIDATION_FAILED") for error in errors))
        self._remember(query, document)
        return document

    def _remember(self, query: str, document: DocumentNode) -> None:
        self._valid[query] = document
        self._remembered += len(query)
        while self._remembered > MAX_REMEMBERED:
            oldest = next(iter(self._valid))
            del self._valid[oldest]
            self._remembered -= len(oldest)

    def _measure(
        self, document: DocumentNode, operation: OperationDefinitionNode, given: dict[str, Any]
    ) -> None:
        """Refuse an operation that is too much."""
        config = self._config
        # First: what is nested too deep cannot be written, either.
        fault = fault_of(given)
        if fault is not None:
            raise _bad(f"variables: {fault}")
        most = config.graphql_max_variables
        if len(write_json(given).encode(errors="backslashreplace")) > most:
            raise _bad(f"variables: expected at most {most} bytes")
        values = get_variable_values(
            self._schema,
            operation.variable_definitions or (),
            given,
            max_errors=MAX_ERRORS,
            hide_suggestions=not self.is_introspectable,
        )
        if isinstance(values, list):
            raise RefusedError(*(_coded(error, "BAD_USER_INPUT") for error in values))
        depth, cost = Meter(self._schema, document, values).measure(operation)
        if depth > config.graphql_max_depth:
            raise _bad(f"expected a depth of at most {config.graphql_max_depth}, not {depth}")
        if cost > config.graphql_max_cost:
            raise _bad(f"expected a cost of at most {config.graphql_max_cost}, not {cost:g}")


class Measure(NamedTuple):
    """How many fields are in each other, and what all cost."""

    depth: int = 0
    cost: float = 0


class Hints(NamedTuple):
    """What the schema says of the cost of a field."""

    weight: float
    assumed_size: int
    slicing_arguments: tuple[str, ...]


class Meter:
    """Measures an operation that is valid.

    The fields of a list cost as often as it may have items.
    """

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, variables: VariableValues
    ) -> None:
        """Measure operations of `document`."""
        self._schema = schema
        self._variables = variables
        self._definitions = {
            one.name.value: one
            for one in document.definitions
            if isinstance(one, FragmentDefinitionNode)
        }
        # Each is measured once, however often it is spread.
        self._fragments: dict[str, Measure] = {}

    def measure(self, operation: OperationDefinitionNode) -> Measure:
        """Return the measure of an operation."""
        root = self._schema.get_root_type(operation.operation)
        return self._set(operation.selection_set, root)

    def _set(self, node: SelectionSetNode | None, kind: GraphQLNamedType | None) -> Measure:
        parts = [self._selection(one, kind) for one in (node.selections if node else ())]
        depth = max((part.depth for part in parts), default=0)
        return Measure(depth, sum(part.cost for part in parts))

    def _selection(self, node: SelectionNode, kind: GraphQLNamedType | None) -> Measure:
        if isinstance(node, FieldNode):
            return self._field(node, kind)
        if isinstance(node, InlineFragmentNode):
            named = node.type_condition
            inner = self._schema.get_type(named.name.value) if named else kind
            return self._set(node.selection_set, inner)
        name = node.name.value  # type: ignore[attr-defined]
        if name not in self._fragments:
            fragment = self._definitions[name]
            inner = self._schema.get_type(fragment.type_condition.name.value)
            self._fragments[name] = self._set(fragment.selection_set, inner)
        return self._fragments[name]

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Measure:
        field: GraphQLField | None = None
        if isinstance(
            parent, GraphQLObjectType | GraphQLInterfaceType
        ) and not is_introspection_type(parent):
            field = parent.fields.get(node.name.value)
        if field is None:
            # Of the schema itself, which is as large as it is, and whose depth graphql-core limits.
            return Measure(1, 1 + self._set(node.selection_set, None).cost)
        depth, cost = self._set(node.selection_set, get_named_type(field.type))
        hints = self._hints_of(field)
        return Measure(1 + depth, hints.weight + self._size(node, field, hints) * cost)

    def _size(self, node: FieldNode, field: GraphQLField, hints: Hints) -> int:
        """Return how many values of its type a field has at most."""
        if not is_list_type(get_nullable_type(field.type)) or node.selection_set is None:
            return 1
        values = get_argument_values(field, node, self._variables)
        names = [
            argument.out_name or name
            for name, argument in field.args.items()
            if name in hints.slicing_arguments
        ]
        asked = [values[name] for name in names if isinstance(values.get(name), int)]
        return max(0, *asked) if asked else hints.assumed_size

    def _hints_of(self, field: GraphQLField) -> Hints:
        """Read directives as in https://ibm.github.io/graphql-specs/cost-spec.html."""
        known: Hints | None = field.extensions.get("hints")
        if known is not None:
            return known
        sizes = self._directive("listSize", field)
        slicing = sizes.get("slicingArguments")
        found = field.extensions["hints"] = Hints(
            float(self._directive("cost", field).get("weight", 1)),
            sizes.get("assumedSize") or ASSUMED_SIZE,
            SLICING_ARGUMENTS if slicing is None else tuple(slicing),
        )
        return found

    def _directive(self, name: str, field: GraphQLField) -> Mapping[str, Any]:
        directive = self._schema.get_directive(name)
        if directive is None or field.ast_node is None:
            return {}
        return get_directive_values(directive, field.ast_node) or {}


def _bad(message: str) -> RefusedError:
    return RefusedError(GraphQLError(message, extensions={"code": "BAD_REQUEST"}))


def _coded(error: GraphQLError, code: str) -> GraphQLError:
    """Return an error with the code that other servers give it, too."""
    extensions = {**(error.extensions or {}), "code": code}
    return GraphQLError(
        error.message, error.nodes, error.source, error.positions, extensions=extensions
    )
