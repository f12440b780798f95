package wsclient

import (
	"fmt"
	"time"
)

// Error is why the client could not do what it was asked to do. errors.Is goes by its code.
type Error struct {
	// Code is one of the server's, such as "forbidden", or that of an Err variable of this package.
	Code    string
	Message string
	// RetryAfter is how long the server asks to wait.
	RetryAfter time.Duration
	// Cause may be nil.
	Cause error
}

// What is not done is said by these; after ErrTimeout, ErrAborted and ErrUnknownOutcome the server may have done it.
var (
	// ErrClosed: the client has ended, or the stream was left.
	ErrClosed = &Error{Code: "closed"}
	// ErrAborted: the context is done.
	ErrAborted = &Error{Code: "aborted"}
	// #if auth || graphql || jsonrpc
	// ErrToken: there is no token.
	ErrToken = &Error{Code: "token"}
	// #else
	//~ // ErrToken: the server asks for a token.
	//~ ErrToken = &Error{Code: "token"}
	// #endif
	// #if chat || pubsub
	// ErrQueueFull: too much waits.
	ErrQueueFull = &Error{Code: "queue_full"}
	// ErrDropped: it made room for newer messages, or found no room.
	ErrDropped = &Error{Code: "dropped"}
	// ErrExpired: it waited for too long.
	ErrExpired = &Error{Code: "expired"}
	// ErrTooBig: the server would close the connection.
	ErrTooBig = &Error{Code: "too_big"}
	// ErrTimeout: the server has not answered in time.
	ErrTimeout = &Error{Code: "timeout"}
	// #endif
	// #if rpc
	// ErrBehind: the program takes events too slowly, and misses some.
	ErrBehind = &Error{Code: "behind"}
	// #endif
	// #if chat || pubsub || rpc
	// ErrUnknownOutcome: the connection was lost, and the server does not know what it has taken before.
	ErrUnknownOutcome = &Error{Code: "unknown_outcome"}
	// #endif
)

func (e *Error) Error() string {
	text := e.Code
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is an Error with the same code.
func (e *Error) Is(target error) bool {
	other, isError := target.(*Error)
	return isError && other.Code == e.Code
}

// because is e with more about it.
func (e *Error) because(format string, args ...any) *Error {
	return &Error{Code: e.Code, Message: fmt.Sprintf(format, args...)}
}

// CloseError is why the client is closed for good: another attempt would fail, too.
type CloseError struct {
	// Code is the close code, 1006 without one.
	Code   int
	Reason string
}

func (e *CloseError) Error() string { return fmt.Sprintf("closed with %d: %s", e.Code, e.Reason) }
