// Package realtime is what servers of commands have in common: it reads the commands of clients, answers the
// common ones, and passes the others on to applications.
//
// A type of server is an Application in a package of its own, which main adds to the Hub. It is given
// clients, not sockets: it answers with Client.Send and Client.Fail, and tells many clients the same with
// one Message and Client.Deliver. Commands of one client come one after the other; different clients, and
// Client.Close by others, come at the same time, so what clients share has a lock. Nothing may be called
// with such a lock held that can wait: Deliver never does.
package realtime

import (
	"context"
)

// Application is what clients say to each other over one subprotocol.
type Application interface {
	// Subprotocol is its name, as in chat.v1.
	Subprotocol() string
	// Features are those of the type; the common ones are added.
	Features() []string
	// Commands are those that it takes, by type, besides the common ones.
	Commands() map[string]Command
	// Open is called for a client whose user is known, after its welcome.
	Open(ctx context.Context, client *Client) error
	// #if auth
	// Refresh is called when a client has shown a newer token: what that does not allow any more ends.
	Refresh(ctx context.Context, client *Client) error
	// #endif
	// Close is called once for each client that was opened, when its connection has ended.
	Close(client *Client)
}

// Command is one type of commands.
type Command struct {
	// Cost is how many messages of the rate it counts as; 0 is 1.
	Cost float64
	// Read takes the fields of a command besides type and id, and returns what it is to do. What is wrong with
	// them is kept in fields; then nothing is done.
	Read func(fields *Fields) Action
}

// Action carries a command out; id is empty if the command has none. Nothing more is read from the client
// until it returns. An error ends the connection with 1011.
type Action func(ctx context.Context, client *Client, id string) error
