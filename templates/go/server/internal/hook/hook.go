// Package hook is what the server asks the functions in internal/handler/.
package hook

import (
	// #if applications
	"context"
	// #if auth
	"slices"
	"strings"
	// #endif
	// #endif
	// #if auth
	// #if applications

	// #endif
	"example.com/ws-app/internal/auth"
	// #else
	//~ "net/http"
	// #endif
)

// Identity is what is known of the user of a connection.
type Identity struct {
	// User is a name: letters, digits, ".", "_" and "-", 64 at most.
	User string
	// #if auth
	// Token is what the token of the connection says.
	Token *auth.Token
	// #endif
}

// #if auth
// #else
//~ // Identify names the user who connects; false refuses the handshake with 401.
//~ type Identify func(r *http.Request) (user string, ok bool)
//~
// #endif

// #if applications

// Access is what a client wants to do.
type Access struct {
	Identity Identity
	// Action is "join" a room, "subscribe" or "publish" to a topic, "watch" a document.
	Action string
	// Name is the room, topic or document.
	Name string
	// Allowed is whether it may as far as the server knows.
	Allowed bool
}

// Authorize is whether a client may do what it wants; false is answered with "forbidden". An error ends the
// connection with 1011 and is logged.
type Authorize func(ctx context.Context, access Access) (bool, error)

// Ask asks with what the server knows.
func (a Authorize) Ask(ctx context.Context, identity Identity, action, name string) (bool, error) {
	access := Access{Identity: identity, Action: action, Name: name, Allowed: true}
	// #if auth
	access.Allowed = isAllowed(access)
	// #endif
	return a(ctx, access)
}

// #if auth

// isAllowed reports whether a name is open to a user: one that starts with private- is for those whose token
// names it. All topics with the same first segment have the name of that.
func isAllowed(access Access) bool {
	name := access.Name
	if access.Action == "subscribe" || access.Action == "publish" {
		name, _, _ = strings.Cut(name, ".")
	}
	return !strings.HasPrefix(name, "private-") || slices.Contains(access.Identity.Token.Rooms, name)
}

// #endif

// #endif
// #if chat

// Draft is a message that a client sends.
type Draft struct {
	Identity Identity
	// #if rooms
	// Room is where it is to go.
	Room string
	// #endif
	// Text is what the client has written.
	Text string
}

// OnMessage looks at each message before anybody gets it. It returns the text that they get, or a Refusal.
// Another error ends the connection with 1011 and is logged.
type OnMessage func(ctx context.Context, draft Draft) (text string, err error)

// Refusal is why a message is refused, which its sender is told.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// #endif
