package handler

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"

	"example.com/ws-app/internal/realtime"
)

// Identify says who a client is: check a session cookie or a token of r. As generated, the name in
// ?user=<name> is not verified, and a client without one is a guest.
func Identify(r *http.Request) (user string, ok bool) {
	if query := r.URL.Query(); query.Has("user") {
		user = query.Get("user")
		return user, realtime.IsName(user)
	}
	random := make([]byte, 4)
	// It never fails.
	_, _ = rand.Read(random)
	return "guest-" + hex.EncodeToString(random), true
}
