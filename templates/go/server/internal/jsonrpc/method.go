package jsonrpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Handler does what a method is for. ctx ends when nobody waits for the result any more. An *Error is what the
// client is told; of another error it is told no more than "Internal error", and the error is logged.
type Handler[Params, Result any] func(ctx context.Context, caller *Caller, params Params) (Result, error)

// Checked are parameters that can say what is wrong with them.
type Checked interface{ Check() error }

// Methods are what clients may call, by name.
type Methods map[string]Callable

// Callable is a Method of any parameters and result.
type Callable interface {
	call(ctx context.Context, caller *Caller, params json.RawMessage) (any, error)
}

// Method makes a method whose parameters are the fields of a struct. Clients name them, or list them in the order of
// the struct. One that may be left out has omitempty or omitzero in its tag. If Params are Checked, they are.
func Method[Params, Result any](handle Handler[Params, Result]) Callable {
	kind := reflect.TypeFor[Params]()
	if kind.Kind() != reflect.Struct {
		panic("jsonrpc: parameters have to be a struct, not " + kind.String())
	}
	made := &method[Params, Result]{handle: handle}
	for _, found := range reflect.VisibleFields(kind) {
		tag := found.Tag.Get("json")
		if !found.IsExported() || found.Anonymous || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = found.Name
		}
		made.fields = append(made.fields, field{name: name, index: found.Index, isOptional: strings.Contains(options, "omit")})
	}
	return made
}

type field struct {
	name       string
	index      []int
	isOptional bool
}

type method[Params, Result any] struct {
	handle Handler[Params, Result]
	fields []field
}

func (m *method[Params, Result]) call(ctx context.Context, caller *Caller, given json.RawMessage) (any, error) {
	var params Params
	if err := m.read(given, reflect.ValueOf(&params).Elem()); err != nil {
		return nil, err
	}
	if checked, ok := any(&params).(Checked); ok {
		if err := checked.Check(); err != nil {
			return nil, invalidParams(err.Error())
		}
	}
	return m.handle(ctx, caller, params)
}

// fault is what is wrong, and where.
type fault struct {
	Path   []string `json:"path"`
	Reason string   `json:"reason"`
}

func invalidParams(reason string, path ...string) *Error {
	return withData(errInvalidParams, fault{append([]string{}, path...), reason})
}

// read fills a struct with parameters; to have none is to have no fields.
func (m *method[Params, Result]) read(given json.RawMessage, params reflect.Value) error {
	named := map[string]json.RawMessage{}
	switch {
	case len(given) == 0:
	case given[0] == '[':
		var list []json.RawMessage
		if err := json.Unmarshal(given, &list); err != nil {
			return invalidParams("expected a list")
		}
		if len(list) > len(m.fields) {
			return invalidParams(fmt.Sprintf("expected at most %d", len(m.fields)))
		}
		for i, value := range list {
			named[m.fields[i].name] = value
		}
	default:
		if err := json.Unmarshal(given, &named); err != nil {
			return invalidParams("expected an object")
		}
	}
	for _, field := range m.fields {
		value, isGiven := named[field.name]
		delete(named, field.name)
		if !isGiven {
			if field.isOptional {
				continue
			}
			return invalidParams("expected a value", field.name)
		}
		if err := decode(value, params.FieldByIndex(field.index)); err != nil {
			return err.at(field.name)
		}
	}
	for name := range named {
		return invalidParams(fmt.Sprintf("there is no %q", name))
	}
	return nil
}

// misfit is why a value does not fit.
type misfit struct {
	path   []string
	reason string
}

func (m *misfit) at(name string) *Error {
	return invalidParams(m.reason, append([]string{name}, m.path...)...)
}

// decode takes a value strictly: no field that is unknown, and null only where something may be missing.
func decode(value json.RawMessage, to reflect.Value) *misfit {
	isNull := bytes.Equal(value, []byte("null"))
	switch to.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
	default:
		if isNull {
			return &misfit{reason: "expected a value, not null"}
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(to.Addr().Interface())
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind):
		wrong := &misfit{reason: fmt.Sprintf("expected %s, not %s", kind.Type, kind.Value)}
		if kind.Field != "" {
			wrong.path = strings.Split(kind.Field, ".")
		}
		return wrong
	case err != nil:
		return &misfit{reason: strings.TrimPrefix(err.Error(), "json: ")}
	}
	return nil
}
