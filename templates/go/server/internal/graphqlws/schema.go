package graphqlws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/graph-gophers/graphql-go"
	qerrors "github.com/graph-gophers/graphql-go/errors"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/hook"
)

const (
	// maxErrors are those of one document that are told.
	maxErrors = 10
	// maxLevels are arrays and objects of variables in each other.
	maxLevels = 64
	// maxPairs of selections with one name are compared: those grow with the square of a document.
	maxPairs = 10_000
	// neverEnds is longer than any connection: the library would leave out events that have to wait.
	neverEnds = 10 * 365 * 24 * time.Hour
)

// Caller is who has asked for what a resolver resolves.
type Caller struct {
	hook.Identity
	// Client is the id of the connection.
	Client string
}

type key struct{}

// execution is what resolvers are called in.
type execution struct {
	caller Caller
	fail   context.CancelCauseFunc
	report func(what string, err error)
	// last is what a subscription ends with after all of its values; nil: with nothing.
	last atomic.Pointer[Error]
}

// CallerOf is who has asked, of the context of a resolver.
func CallerOf(ctx context.Context) Caller { return ctx.Value(key{}).(*execution).caller }

// Fail ends a subscription with an error, of the context of its resolver, which returns then.
func Fail(ctx context.Context, err error) { ctx.Value(key{}).(*execution).fail(err) }

// Error is one whose message clients read; of other errors they read that there is one.
type Error struct{ Message, Code string }

func (e *Error) Error() string { return e.Message }

// Extensions are told with it.
func (e *Error) Extensions() map[string]any {
	if e.Code == "" {
		return nil
	}
	return map[string]any{"code": e.Code}
}

// executor runs what documents ask for.
type executor struct {
	schema   *graphql.Schema
	settings *config.Config
	// running are operations of all clients, whichever protocol they speak.
	running atomic.Int64
}

// newExecutor says what does not fit together.
func newExecutor(settings *config.Config, schema string, resolvers any) (*executor, error) {
	made, err := graphql.ParseSchema(
		schema, resolvers,
		graphql.UseFieldResolvers(), graphql.UseStringDescriptions(),
		graphql.SubscribeResolverTimeout(neverEnds), graphql.OverlapValidationLimit(maxPairs),
		graphql.Logger(panics{}), graphql.PanicHandler(panics{}),
	)
	if err != nil {
		return nil, fmt.Errorf("internal/handler/schema.graphql and resolvers.go: %w", err)
	}
	return &executor{schema: made, settings: settings}, nil
}

// panics are bugs in resolvers.
type panics struct{}

// LogPanic is part of log.Logger.
func (panics) LogPanic(ctx context.Context, value any) {
	if within, ok := ctx.Value(key{}).(*execution); ok {
		within.report("", fmt.Errorf("panic: %v\n%s", value, debug.Stack()))
	}
}

// errPanic is not logged again.
var errPanic = errors.New("panic")

// MakePanicError is part of errors.PanicHandler.
func (panics) MakePanicError(context.Context, any) *qerrors.QueryError {
	return &qerrors.QueryError{Message: "panic", ResolverError: errPanic}
}

// request is what is executed.
type request struct {
	query, name string
	// given are its variables as JSON, empty if there are none.
	given          json.RawMessage
	variables      map[string]any
	isSubscription bool
}

func refusal(code, message string) []*qerrors.QueryError {
	return []*qerrors.QueryError{{Message: message, Extensions: map[string]any{"code": code}}}
}

// prepare says why a request is not executed, or completes it.
func (e *executor) prepare(asked *request) []*qerrors.QueryError {
	const bad = "BAD_REQUEST"
	if most := e.settings.GraphqlMaxDocument; len(asked.query) > most {
		return refusal(bad, fmt.Sprintf("query: expected at most %d bytes", most))
	}
	read, wrong := parse(asked.query, e.settings.GraphqlMaxTokens)
	if wrong != nil && !errors.Is(wrong, errSyntax) {
		return refusal("GRAPHQL_PARSE_FAILED", wrong.Error())
	}
	if fault := e.readVariables(asked); fault != "" {
		return refusal(bad, "variables: "+fault)
	}
	if read != nil {
		chosen, reason := choose(read, asked.name)
		if chosen == nil {
			return refusal(bad, reason)
		}
		asked.isSubscription = chosen.kind == "subscription"
		for name, value := range chosen.defaults {
			if _, isGiven := asked.variables[name]; !isGiven {
				asked.variables[name] = value
			}
		}
	}
	if found := e.validate(asked); len(found) > 0 {
		return found
	}
	if wrong != nil {
		return refusal("GRAPHQL_PARSE_FAILED", wrong.Error())
	}
	chosen, _ := choose(read, asked.name)
	m := &meter{schema: e.schema.AST(), document: read, variables: asked.variables, fragments: map[string]measure{}}
	measured := m.operation(chosen)
	switch {
	case m.asksSchema && !e.settings.GraphqlIntrospection:
		return refusal("GRAPHQL_VALIDATION_FAILED", "GraphQL introspection is not allowed, but the query contained __schema or __type.")
	case measured.lists > maxSchemaLists:
		return refusal("GRAPHQL_VALIDATION_FAILED", "Maximum introspection depth exceeded")
	case measured.depth > e.settings.GraphqlMaxDepth:
		return refusal(bad, fmt.Sprintf("expected a depth of at most %d, not %d", e.settings.GraphqlMaxDepth, measured.depth))
	case measured.cost > float64(e.settings.GraphqlMaxCost):
		return refusal(bad, fmt.Sprintf("expected a cost of at most %d, not %.0f", e.settings.GraphqlMaxCost, measured.cost))
	}
	return nil
}

// readVariables says what is wrong with them.
func (e *executor) readVariables(asked *request) string {
	most := e.settings.GraphqlMaxVariables
	switch {
	case levels(asked.given) > maxLevels:
		return fmt.Sprintf("expected at most %d levels", maxLevels)
	case len(asked.given) > most:
		return fmt.Sprintf("expected at most %d bytes", most)
	case len(asked.given) > 0 && json.Unmarshal(asked.given, &asked.variables) != nil:
		return "expected numbers that a double can hold"
	case asked.variables == nil:
		asked.variables = map[string]any{}
	}
	return ""
}

func choose(read *document, name string) (*operation, string) {
	if name == "" {
		if len(read.operations) != 1 {
			return nil, "expected one operation"
		}
		return read.operations[0], ""
	}
	for _, one := range read.operations {
		if one.name == name {
			return one, ""
		}
	}
	return nil, "no such operation"
}

// suggestion is a name that comes near.
var suggestion = regexp.MustCompile(` Did you mean [^?]*\?`)

func (e *executor) validate(asked *request) (found []*qerrors.QueryError) {
	// The library reads some literals as if they were never wrong.
	defer func() {
		if failed := recover(); failed != nil {
			found = refusal("GRAPHQL_VALIDATION_FAILED", "a value is out of range")
		}
	}()
	found = e.schema.ValidateWithVariables(asked.query, asked.variables)
	for _, one := range found {
		code := "GRAPHQL_VALIDATION_FAILED"
		if errors.Is(one, qerrors.ErrSyntax) || one.Rule == "" {
			code = "GRAPHQL_PARSE_FAILED"
		}
		one.Extensions = map[string]any{"code": code}
		if !e.settings.GraphqlIntrospection {
			one.Message = suggestion.ReplaceAllString(one.Message, "")
		}
	}
	return found[:min(len(found), maxErrors)]
}

// misfit is the error of a response of which nothing was executed: what has no place in it is of the variables, which
// the library reads late. Nil: it was executed.
func misfit(response *graphql.Response) []*qerrors.QueryError {
	for _, one := range response.Errors {
		if one.ResolverError == nil && len(one.Path) == 0 {
			return refusal("BAD_USER_INPUT", "variables: a value has another type than the operation says")
		}
	}
	return nil
}

// told are the errors as the client reads them: of one that nobody meant for it, that there is one.
func (x *execution) told(found []*qerrors.QueryError) []*qerrors.QueryError {
	for _, one := range found {
		cause := one.ResolverError
		var meant *Error
		if errors.As(cause, &meant) {
			one.Message, one.Extensions = meant.Message, meant.Extensions()
			continue
		}
		if cause == nil {
			continue
		}
		if !errors.Is(cause, errPanic) && !errors.Is(cause, context.Canceled) {
			x.report(fmt.Sprint(one.Path), cause)
		}
		one.Message = "internal error"
		one.Extensions = map[string]any{"code": "INTERNAL_SERVER_ERROR"}
	}
	return found
}
