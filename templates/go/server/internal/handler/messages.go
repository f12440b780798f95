package handler

import (
	"context"

	"example.com/ws-app/internal/hook"
)

// OnText looks at each message before anybody gets it: return another text to change it, or
// hook.Refusal("why") as the error to refuse it. As generated, messages stay as they are.
func OnText(_ context.Context, draft hook.Draft) (text string, err error) {
	return draft.Text, nil
}
