package handler

import (
	"context"

	"example.com/ws-app/internal/hook"
)

// Authorize is whether a client may do what it wants. access.Allowed is what the server makes of it; decide
// otherwise by the user, the action and the name.
func Authorize(_ context.Context, access hook.Access) (bool, error) {
	return access.Allowed, nil
}
