package graphqlws

import (
	"slices"
	"strconv"
	"strings"

	"github.com/graph-gophers/graphql-go/ast"
)

// assumedSize is items of a list where nothing says how many.
const assumedSize = 10

// slicing are arguments that say how many items a list has, where the schema does not name others.
var slicing = []string{"first", "last", "limit"}

// schemaLists are the lists of the schema itself that lead from types to types.
var schemaLists = []string{"fields", "interfaces", "possibleTypes", "inputFields"}

// maxSchemaLists of them are in each other at most, as in graphql-js: each multiplies what is answered.
const maxSchemaLists = 2

// measure is how many fields are in each other, and what all cost.
type measure struct {
	depth int
	cost  float64
	// lists are schemaLists in each other.
	lists int
}

// meter measures an operation that is valid: the fields of a list cost as often as it may have items.
type meter struct {
	schema    *ast.Schema
	document  *document
	variables map[string]any
	// fragments are measured once each, however often they are spread.
	fragments map[string]measure
	// asksSchema is whether it reads the schema itself.
	asksSchema bool
}

func (m *meter) operation(read *operation) measure {
	root := m.schema.RootOperationTypes[read.kind]
	return m.set(read.selections, root)
}

func (m *meter) set(selections []*selection, parent ast.Type) measure {
	sum := measure{}
	for _, part := range selections {
		one := m.selection(part, parent)
		sum.depth = max(sum.depth, one.depth)
		sum.cost += one.cost
		sum.lists = max(sum.lists, one.lists)
	}
	return sum
}

func (m *meter) selection(part *selection, parent ast.Type) measure {
	switch {
	case part.spread != "":
		known, ok := m.fragments[part.spread]
		if fragment := m.document.fragments[part.spread]; !ok && fragment != nil {
			known = m.set(fragment.selections, m.schema.Types[fragment.on])
			m.fragments[part.spread] = known
		}
		return known
	case part.field == "":
		if part.on != "" {
			parent = m.schema.Types[part.on]
		}
		return m.set(part.selections, parent)
	}
	return m.field(part, parent)
}

func (m *meter) field(part *selection, parent ast.Type) measure {
	definition := fieldOf(parent, part.field)
	if definition == nil {
		// Of the schema itself, which is as large as it is.
		m.asksSchema = m.asksSchema || part.field == "__schema" || part.field == "__type"
		inner := m.set(part.selections, nil)
		if slices.Contains(schemaLists, part.field) {
			inner.lists++
		}
		return measure{1, 1 + inner.cost, inner.lists}
	}
	inner := m.set(part.selections, named(definition.Type))
	return measure{1 + inner.depth, weightOf(definition) + m.size(part, definition)*inner.cost, inner.lists}
}

// size is how many values of its type a field has at most.
func (m *meter) size(part *selection, definition *ast.FieldDefinition) float64 {
	kind := definition.Type
	if nonNull, ok := kind.(*ast.NonNull); ok {
		kind = nonNull.OfType
	}
	if _, isList := kind.(*ast.List); !isList || len(part.selections) == 0 {
		return 1
	}
	names, size := hintsOf(definition)
	isAsked, most := false, 0.0
	for _, name := range names {
		value, isGiven := part.arguments[name]
		if of, ok := value.(variable); ok {
			value, isGiven = m.variables[string(of)]
		}
		if argument := definition.Arguments.Get(name); !isGiven && argument != nil && argument.Default != nil {
			value = argument.Default.Deserialize(nil)
		}
		if number, ok := numberOf(value); ok {
			isAsked, most = true, max(most, number)
		}
	}
	if isAsked {
		return most
	}
	return size
}

func numberOf(value any) (float64, bool) {
	switch number := value.(type) {
	case float64:
		return number, true
	case int32:
		return float64(number), true
	case int64:
		return float64(number), true
	}
	return 0, false
}

// fieldOf is nil for what is of the schema itself.
func fieldOf(parent ast.Type, name string) *ast.FieldDefinition {
	if parent, ok := parent.(ast.NamedType); ok && strings.HasPrefix(parent.TypeName(), "__") {
		return nil
	}
	switch kind := parent.(type) {
	case *ast.ObjectTypeDefinition:
		return kind.Fields.Get(name)
	case *ast.InterfaceTypeDefinition:
		return kind.Fields.Get(name)
	}
	return nil
}

func named(kind ast.Type) ast.Type {
	for {
		switch wrapped := kind.(type) {
		case *ast.List:
			kind = wrapped.OfType
		case *ast.NonNull:
			kind = wrapped.OfType
		default:
			return kind
		}
	}
}

// argumentOf is what the schema says of a field, with directives as in
// https://ibm.github.io/graphql-specs/cost-spec.html; nil: nothing.
func argumentOf(definition *ast.FieldDefinition, directive, name string) any {
	found := definition.Directives.Get(directive)
	if found == nil {
		return nil
	}
	// The library lists those that are not given, too.
	value, _ := found.Arguments.Get(name)
	if value == nil {
		return nil
	}
	return value.Deserialize(nil)
}

func weightOf(definition *ast.FieldDefinition) float64 {
	text, _ := argumentOf(definition, "cost", "weight").(string)
	if weight, err := strconv.ParseFloat(text, 64); err == nil {
		return weight
	}
	return 1
}

func hintsOf(definition *ast.FieldDefinition) (names []string, size float64) {
	size = assumedSize
	if number, ok := numberOf(argumentOf(definition, "listSize", "assumedSize")); ok {
		size = number
	}
	list, ok := argumentOf(definition, "listSize", "slicingArguments").([]any)
	if !ok {
		return slicing, size
	}
	for _, item := range list {
		if name, ok := item.(string); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, size
}
