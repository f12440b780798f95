package handler

import (
	"context"
	_ "embed"
	"time"

	"example.com/ws-app/internal/wamp"
)

// Realms are those of WAMP, unless REALMS_FILE names another file.
//
//go:embed realms.yaml
var Realms []byte

// Procedures are those of this process, which clients call as they call those of other clients. Return a
// wamp.Error for an error of your own. What else is returned is logged, as a panic is, and the caller gets
// wamp.error.runtime_error without details.
var Procedures = []wamp.Procedure{
	{
		Realm: "realm1",
		URI:   "com.example.add",
		Run: func(_ context.Context, call *wamp.Call) (any, error) {
			var a, b float64
			if err := call.Args(&a, &b); err != nil {
				return nil, err
			}
			return a + b, nil
		},
	},
	{
		Realm: "realm1",
		URI:   "com.example.divide",
		Run: func(_ context.Context, call *wamp.Call) (any, error) {
			var a, b float64
			if err := call.Args(&a, &b); err != nil {
				return nil, err
			}
			if b == 0 {
				return nil, &wamp.Error{URI: "com.example.error.division_by_zero", Args: []any{a}}
			}
			return a / b, nil
		},
	},
	// An example of a result in parts: 3, 2, 1 and then "done".
	{
		Realm: "realm1",
		URI:   "com.example.countdown",
		Run: func(ctx context.Context, call *wamp.Call) (any, error) {
			var from int
			if err := call.Args(&from); err != nil {
				return nil, err
			}
			if from < 1 || from > 100 {
				return nil, &wamp.Error{URI: "wamp.error.invalid_argument", Args: []any{"expected 1 to 100"}}
			}
			for left := from; left > 0; left-- {
				if err := call.Progress(left); err != nil {
					return nil, err
				}
				select {
				case <-ctx.Done():
					return nil, &wamp.Error{URI: "wamp.error.canceled"}
				case <-time.After(10 * time.Millisecond):
				}
			}
			return "done", nil
		},
	},
}
