package config

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"example.com/ws-app/internal/auth"
)

// leastSecret is as many bytes as HS256 makes (RFC 7518 section 3.2).
const leastSecret = 32

// auth reads what says whose tokens are valid. What may be a secret is not shown.
func (e *reader) auth(c *Config) {
	wrong := func(name, expected string) {
		e.faults = append(e.faults, fmt.Errorf("%s is wrong, expected %s", name, expected))
	}
	var given []string
	take := func(name string) string {
		text := e.getenv(name)
		if text != "" {
			given = append(given, name)
		}
		return text
	}
	if c.Auth.Secret = take("AUTH_SECRET"); c.Auth.Secret != "" && len(c.Auth.Secret) < leastSecret {
		wrong("AUTH_SECRET", fmt.Sprintf("at least %d bytes, as from `openssl rand -hex 32`", leastSecret))
	}
	if text := take("AUTH_PUBLIC_KEY"); text != "" {
		key, err := auth.ParsePublicKey(text)
		if err != nil {
			wrong("AUTH_PUBLIC_KEY", "a public key in PEM: RSA of 2048 bits or more, P-256 or Ed25519")
		}
		c.Auth.PublicKey = key
	}
	if c.Auth.KeysURL = take("AUTH_JWKS_URL"); c.Auth.KeysURL != "" && !isKeysURL(c.Auth.KeysURL) {
		wrong("AUTH_JWKS_URL", "an https URL, or one of localhost")
	}
	c.Auth.Issuer = e.getenv("AUTH_ISSUER")
	c.Auth.Audience = e.getenv("AUTH_AUDIENCE")
	c.Auth.ClockTolerance = time.Duration(e.integer("AUTH_CLOCK_TOLERANCE", 5, 0, 300)) * time.Second
	c.Auth.TicketTTL = e.milliseconds("TICKET_TTL", 30_000, 50, 600_000)
	c.AuthTimeout = e.milliseconds("AUTH_TIMEOUT", 10_000, 50, 600_000)
	c.AdminToken = e.secret("ADMIN_TOKEN", 16)
	switch {
	case len(given) > 1:
		e.faults = append(e.faults, fmt.Errorf("%s are set, expected one of them", strings.Join(given, " and ")))
	case len(given) == 0 && c.Production:
		e.faults = append(e.faults, errors.New("NODE_ENV is production and nothing says whose tokens are valid: set "+
			"AUTH_SECRET (as from `openssl rand -hex 32`), AUTH_PUBLIC_KEY or AUTH_JWKS_URL"))
	}
}

func isKeysURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return false
	}
	name := u.Hostname()
	isLocal := name == "localhost" || name == "127.0.0.1" || name == "::1"
	return u.Scheme == "https" || u.Scheme == "http" && isLocal
}

// EnvFile has the secrets of a developer's own machine.
const EnvFile = ".env"

// envLine is NAME=value, the value in quotes or not.
var envLine = regexp.MustCompile(`(?m)^[ \t]*([A-Za-z_]\w*)[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|([^\r\n]*?))[ \t]*\r?$`)

// Environment has the variables of the process; those that it does not have come from EnvFile, if there is one.
func Environment() func(name string) string {
	ofFile := map[string]string{}
	// Without the file there is nothing in it.
	text, _ := os.ReadFile(EnvFile)
	for _, match := range envLine.FindAllSubmatch(text, -1) {
		ofFile[string(match[1])] = string(match[2]) + string(match[3]) + string(match[4])
	}
	return func(name string) string {
		if value, isSet := os.LookupEnv(name); isSet {
			return value
		}
		return ofFile[name]
	}
}
