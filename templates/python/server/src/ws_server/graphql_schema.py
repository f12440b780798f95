"""The schema of this server, with its resolvers."""

import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
)

from .hooks import Identity

SCHEMA = Path(__file__).parent / "handlers" / "schema.graphql"


@dataclass(frozen=True, slots=True)
class GraphqlContext:
    """What every resolver gets to know of the client, as `info.context`."""

    identity: Identity
    # The id of the connection.
    client: str

    @property
    def user(self) -> str:
        """The name of the user."""
        return self.identity.user


Info = GraphQLResolveInfo[GraphqlContext]

# Takes the parent value, `Info` and the arguments by name, in snake case. They have the types that
# the schema says; nobody can check here that the function says the same.
Resolver = Callable[..., Any]

# By type and field; what a scalar of the schema's own has is `serialize` and `parse_value`.
Resolvers = Mapping[str, Mapping[str, Resolver]]


def create_schema(resolvers: Resolvers, text: str | None = None) -> GraphQLSchema:
    """Put the schema and its resolvers together.

    A field without one is the attribute of its parent value, in snake case, or its item. Raises
    ValueError when they do not fit together.
    """
    try:
        schema = build_schema(SCHEMA.read_text() if text is None else text)
    except (GraphQLError, TypeError) as error:
        raise ValueError(f"handlers/schema.graphql: {error}") from error
    for kind in schema.type_map.values():
        if not isinstance(kind, GraphQLObjectType) or kind.name.startswith("__"):
            continue
        for name, field in kind.fields.items():
            for argument, details in field.args.items():
                details.out_name = snake_case(argument)
            field.resolve = _reader_of(name)
    for name, own in resolvers.items():
        _add(schema, name, own)
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        for name in root.fields if root is not None else ():
            if root is not None and name not in resolvers.get(root.name, {}):
                raise ValueError(f"handlers/resolvers.py: expected {root.name}.{name}")
    return schema


def snake_case(name: str) -> str:
    """Return the name that Python has for what is in camel case, and may be a keyword."""
    found = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
    return f"{found}_" if keyword.iskeyword(found) else found


def _add(schema: GraphQLSchema, name: str, own: Mapping[str, Resolver]) -> None:
    kind = schema.get_type(name)
    if isinstance(kind, GraphQLScalarType):
        for part, function in own.items():
            setattr(kind, part, function)
        return
    if not isinstance(kind, GraphQLObjectType):
        raise ValueError(f"handlers/resolvers.py: the schema has no type {name} with fields")  # noqa: TRY004
    for field, resolve in own.items():
        if field not in kind.fields:
            raise ValueError(f"handlers/resolvers.py: the schema has no {name}.{field}")
        if kind is schema.subscription_type:
            kind.fields[field].subscribe = resolve
            kind.fields[field].resolve = _event
        else:
            kind.fields[field].resolve = resolve


def _event(value: object, _: Info, **__: object) -> object:
    return value


def _reader_of(name: str) -> Resolver:
    attribute = snake_case(name)

    def read(value: object, _: Info, **__: object) -> object:
        return value.get(name) if isinstance(value, Mapping) else getattr(value, attribute, None)

    return read
