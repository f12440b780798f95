package auth

import (
	"crypto/rand"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Sign makes a token for tests and the demo, as a server with these options accepts it. rooms are private names
// that the user may enter; nil leaves the claim out.
func Sign(options *Options, user string, lifetime time.Duration, rooms []string) (string, error) {
	now := time.Now()
	claims := jwt.MapClaims{
		"sub": user,
		"jti": rand.Text(),
		"iat": now.Unix(),
		"exp": now.Add(lifetime).Unix(),
	}
	if rooms != nil {
		claims["rooms"] = rooms
	}
	if options.Issuer != "" {
		claims["iss"] = options.Issuer
	}
	if options.Audience != "" {
		claims["aud"] = options.Audience
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(options.Secret))
}
