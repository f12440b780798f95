// Package handler is yours: who connects, who may do what, and what becomes of messages. What it returns is
// described in package hook.
package handler
