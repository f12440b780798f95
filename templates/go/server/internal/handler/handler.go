// Package handler is yours: what the server does with a message.
package handler

import (
	"context"

	"example.com/ws-app/internal/websocket"
)

// OnMessage is called for each message of a client, one after the other; clients do not wait for each
// other. The data may be used until it returns. ctx ends when the server shuts down. An error, like a
// panic, ends the connection with 1011 and is logged.
func OnMessage(_ context.Context, conn *websocket.Conn, message websocket.Message) error {
	return conn.Send(message)
}
