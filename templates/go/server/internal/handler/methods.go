package handler

import (
	"context"
	"errors"
	"time"

	"example.com/ws-app/internal/jsonrpc"
)

// Methods are what clients may call, by name. A method that returns a *jsonrpc.Error answers with its code; any other
// error is logged, and the client is told no more than "Internal error".
var Methods = jsonrpc.Methods{
	"add":   jsonrpc.Method(add),
	"greet": jsonrpc.Method(greet),
}

type addParams struct {
	A float64 `json:"a"`
	B float64 `json:"b"`
}

func add(_ context.Context, _ *jsonrpc.Caller, params addParams) (float64, error) {
	return params.A + params.B, nil
}

type greetParams struct {
	Greeting string `json:"greeting,omitempty"`
}

// Check says what is wrong with parameters that have the right types.
func (p greetParams) Check() error {
	if len(p.Greeting) > 100 {
		return errors.New("greeting: expected at most 100 bytes")
	}
	return nil
}

// greet calls the client back: caller is the other end, until ctx says that it has gone.
func greet(ctx context.Context, caller *jsonrpc.Caller, params greetParams) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var name string
	if err := caller.Call(ctx, "name", []string{}, &name); err != nil {
		return "", err
	}
	greeting := params.Greeting
	if greeting == "" {
		greeting = "Hello"
	}
	return greeting + ", " + name + "!", nil
}
