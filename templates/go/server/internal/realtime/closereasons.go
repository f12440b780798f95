package realtime

import "example.com/ws-app/internal/websocket"

// CloseReason is why this server closes a connection. Of codes beyond RFC 6455's, 4000 to 4499 let a client
// come back and 4500 to 4999 do not.
type CloseReason struct {
	Code   int
	Reason string
}

// Reasons for which connections are closed.
var (
	GoingAway       = CloseReason{websocket.CloseGoingAway, "server is shutting down"}
	UnsupportedData = CloseReason{1003, "text messages only"}
	PolicyViolation = CloseReason{websocket.ClosePolicy, "too many invalid messages"}
	SlowConsumer    = CloseReason{4408, "client reads too slowly"}
	// #if redis
	// LostPosition lets a client come back at once, with its position.
	LostPosition = CloseReason{4409, "the position was lost"}
	// #endif
	// #if rate-limit
	// TooManyConnections is for a user who is known only after the handshake.
	TooManyConnections = CloseReason{4429, "too many connections"}
	// #endif
)

// #if auth

// Reasons that have to do with tokens.
var (
	TryAgainLater = CloseReason{websocket.CloseTryAgain, "try again later"}
	TokenExpired  = CloseReason{4401, "the token expired"}
	AuthTimeout   = CloseReason{4500, "no token within the time"}
	AuthFailed    = CloseReason{4501, "the token was refused"}
	Revoked       = CloseReason{4502, "the user or the token was revoked"}
)

// #endif
