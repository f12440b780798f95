package config

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestSettingsOfTokens(t *testing.T) {
	t.Parallel()
	const short = "hush hush"
	long := strings.Repeat("x", 32)
	for want, env := range map[string]map[string]string{
		"set AUTH_SECRET": {"NODE_ENV": "production"},
		"AUTH_SECRET is wrong, expected at least 32 bytes":     {"AUTH_SECRET": short},
		"AUTH_PUBLIC_KEY is wrong, expected a public key":      {"AUTH_PUBLIC_KEY": short},
		"AUTH_JWKS_URL is wrong, expected an https URL":        {"AUTH_JWKS_URL": "http://hush.example/"},
		"ADMIN_TOKEN is wrong, expected at least 16":           {"ADMIN_TOKEN": short},
		"AUTH_SECRET and AUTH_JWKS_URL are set, expected one":  {"AUTH_SECRET": long, "AUTH_JWKS_URL": "https://a.example/"},
		`AUTH_CLOCK_TOLERANCE is "301", expected an integer`:   {"AUTH_CLOCK_TOLERANCE": "301"},
		`TICKET_TTL is "1", expected an integer from 50`:       {"TICKET_TTL": "1"},
		`AUTH_TIMEOUT is "600001", expected an integer from 5`: {"AUTH_TIMEOUT": "600001"},
	} {
		_, err := load(env)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, url := range []string{"https://a.example/keys", "http://localhost:1/", "http://[::1]:1/", "http://127.0.0.1/"} {
		c, err := load(map[string]string{"AUTH_JWKS_URL": url, "NODE_ENV": "production"})
		if err != nil || c.Auth.KeysURL != url {
			t.Errorf("%s: %v", url, err)
		}
	}
	c, err := load(map[string]string{"AUTH_SECRET": long, "AUTH_ISSUER": "us", "AUTH_AUDIENCE": "you", "ADMIN_TOKEN": long})
	if err != nil || c.Auth.Secret != long || c.Auth.Issuer != "us" || c.Auth.Audience != "you" || c.AdminToken != long ||
		c.Auth.ClockTolerance != 5*time.Second || c.Auth.TicketTTL != 30*time.Second || c.AuthTimeout != 10*time.Second {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("SET", "by the process")
	t.Setenv("EMPTY", "")
	if value := Environment()("SET"); value != "by the process" {
		t.Errorf("got %q without a file", value)
	}
	text := "# comment\nSET=no\nEMPTY=no\nBARE = a b \r\nDOUBLE=\"two\nlines\"\nSINGLE='# no comment'\n1BAD=x\n"
	if err := os.WriteFile(EnvFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := Environment()
	for name, want := range map[string]string{
		"SET": "by the process", "EMPTY": "", "BARE": "a b", "DOUBLE": "two\nlines", "SINGLE": "# no comment", "1BAD": "", "ABSENT": "",
	} {
		if value := getenv(name); value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
}
