// Package auth says who a client is: by a token (RFC 7519), or by a ticket that was had for one.
package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// maxToken is the bytes of the longest token.
	maxToken = 8192
	// lastSecond is the last year that RFC 3339 can write, seconds since 1970.
	lastSecond = 253_402_300_799
	// leastModulus is the bits of the shortest RSA key.
	leastModulus = 2048
)

// Options say which tokens are valid. At most one of Secret, PublicKey and KeysURL is set: the one decides on
// the algorithms, whatever a token says (RFC 8725 section 3.1).
type Options struct {
	Secret    string
	PublicKey crypto.PublicKey
	KeysURL   string
	// Issuer and Audience are what tokens need to say, if set.
	Issuer, Audience string
	// ClockTolerance is how much the clocks of who makes tokens may differ.
	ClockTolerance time.Duration
	// TicketTTL is how long a ticket is good.
	TicketTTL time.Duration
}

// Token is what an accepted token says.
type Token struct {
	User      string
	ExpiresAt time.Time
	// IssuedAt is zero if the token does not say it.
	IssuedAt time.Time
	// ID is its jti, or empty.
	ID string
	// Rooms are the names that start with private- and are open to the user.
	Rooms  []string
	Claims map[string]any
}

// RefusedError is why a token is not valid: for the log, not for its sender.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string { return "token refused: " + e.Why }

// UnavailableError says that a token cannot be checked now, and when it may come again.
type UnavailableError struct {
	Why        string
	RetryAfter time.Duration
}

func (e *UnavailableError) Error() string { return "token not checked: " + e.Why }

// Auth checks tokens.
type Auth struct {
	Tickets     *Tickets
	Revocations *Revocations

	options Options
	parser  *jwt.Parser
	find    jwt.Keyfunc
	keys    *keySet
	now     func() time.Time
	// #if redis
	// shared is nil if there are no other servers.
	shared *shared
	// #endif
}

// New makes an Auth; now is the clock. Without any key no token is valid.
func New(options Options, now func() time.Time) *Auth {
	a := &Auth{
		Tickets:     newTickets(options.TicketTTL, now),
		Revocations: newRevocations(maxRevocations, options.ClockTolerance, now),
		options:     options,
		now:         now,
	}
	var algorithms []string
	switch {
	case options.PublicKey != nil:
		algorithms = []string{AlgorithmOf(options.PublicKey)}
		a.find = func(*jwt.Token) (any, error) { return options.PublicKey, nil }
	case options.KeysURL != "":
		algorithms = []string{"RS256", "ES256", "EdDSA"}
		a.keys = newKeySet(options.KeysURL, now)
	default:
		secret := []byte(options.Secret)
		if len(secret) == 0 {
			secret = make([]byte, 32)
			_, _ = rand.Read(secret)
		}
		algorithms = []string{"HS256"}
		a.find = func(*jwt.Token) (any, error) { return secret, nil }
	}
	rules := []jwt.ParserOption{
		jwt.WithValidMethods(algorithms), jwt.WithStrictDecoding(), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(options.ClockTolerance), jwt.WithTimeFunc(now),
	}
	if options.Issuer != "" {
		rules = append(rules, jwt.WithIssuer(options.Issuer))
	}
	if options.Audience != "" {
		rules = append(rules, jwt.WithAudience(options.Audience))
	}
	a.parser = jwt.NewParser(rules...)
	return a
}

// HasKey reports whether any token can be valid.
func (a *Auth) HasKey() bool {
	return a.options.Secret != "" || a.options.PublicKey != nil || a.options.KeysURL != ""
}

// Verify checks a token. Its error is a RefusedError or an UnavailableError.
func (a *Auth) Verify(ctx context.Context, text string) (*Token, error) {
	if len(text) > maxToken {
		return nil, &RefusedError{"too long"}
	}
	claims := jwt.MapClaims{}
	_, err := a.parser.ParseWithClaims(text, claims, func(token *jwt.Token) (any, error) {
		// RFC 7515 section 4.1.11: an extension that has to be understood is not.
		if _, isThere := token.Header["crit"]; isThere {
			return nil, errors.New(`"crit" is not supported`)
		}
		if a.keys != nil {
			return a.keys.find(ctx, token)
		}
		return a.find(token)
	})
	var unavailable *UnavailableError
	switch {
	case errors.As(err, &unavailable):
		return nil, unavailable
	case err != nil:
		return nil, &RefusedError{err.Error()}
	}
	return a.read(claims)
}

func (a *Auth) read(claims jwt.MapClaims) (*Token, error) {
	token := &Token{Claims: claims}
	token.User, _ = claims["sub"].(string)
	if !IsName(token.User) {
		return nil, &RefusedError{`"sub" is no name`}
	}
	var isDate bool
	if token.ExpiresAt, isDate = dateOf(claims["exp"]); !isDate {
		return nil, &RefusedError{`"exp" is no date`}
	}
	// What was accepted a little late holds a little longer.
	if !token.ExpiresAt.After(a.now()) {
		token.ExpiresAt = token.ExpiresAt.Add(a.options.ClockTolerance)
	}
	if issued, isThere := claims["iat"]; isThere {
		if token.IssuedAt, isDate = dateOf(issued); !isDate {
			return nil, &RefusedError{`"iat" is no date`}
		}
	}
	if id, isThere := claims["jti"]; isThere {
		var isText bool
		if token.ID, isText = id.(string); !isText {
			return nil, &RefusedError{`"jti" is no text`}
		}
	}
	token.Rooms = textsOf(claims["rooms"])
	if a.Revocations.Cover(token) {
		return nil, &RefusedError{"revoked"}
	}
	return token, nil
}

// dateOf reads seconds since 1970, which need not be whole.
func dateOf(claim any) (time.Time, bool) {
	seconds, isNumber := claim.(float64)
	if !isNumber || math.Abs(seconds) > lastSecond {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(seconds * 1000)), true
}

// textsOf is nil unless claim is a list of texts.
func textsOf(claim any) []string {
	items, _ := claim.([]any)
	texts := make([]string, 0, len(items))
	for _, item := range items {
		text, isText := item.(string)
		if !isText {
			return nil
		}
		texts = append(texts, text)
	}
	return texts
}

var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// IsName reports whether text can name a user.
func IsName(text string) bool { return name.MatchString(text) }

// ParsePublicKey reads a key in PEM whose lines may be joined by \n. Private keys do not belong into a server
// that only checks.
func ParsePublicKey(text string) (crypto.PublicKey, error) {
	block, _ := pem.Decode([]byte(strings.ReplaceAll(text, `\n`, "\n")))
	if block == nil || strings.Contains(text, "PRIVATE") {
		return nil, errors.New("no public key in PEM")
	}
	var key crypto.PublicKey
	var err error
	if block.Type == "RSA PUBLIC KEY" {
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	} else {
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	if err != nil || AlgorithmOf(key) == "" {
		return nil, errors.New("a key of another kind")
	}
	return key, nil
}

// AlgorithmOf is what a public key is for; empty for keys of other kinds.
func AlgorithmOf(key crypto.PublicKey) string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() >= leastModulus {
			return "RS256"
		}
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			return "ES256"
		}
	case ed25519.PublicKey:
		return "EdDSA"
	}
	return ""
}
