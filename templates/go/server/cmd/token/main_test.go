package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/ws-app/internal/auth"
	"example.com/ws-app/internal/config"
)

func TestTokenMakesASecretOnce(t *testing.T) {
	for _, name := range []string{"AUTH_SECRET", "AUTH_PUBLIC_KEY", "AUTH_JWKS_URL", "NODE_ENV"} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	for before, want := range map[string]string{
		"":            `^AUTH_SECRET=[0-9a-f]{64}\n$`,
		"PORT=9000":   `^PORT=9000\nAUTH_SECRET=[0-9a-f]{64}\n$`,
		"PORT=9000\n": `^PORT=9000\nAUTH_SECRET=[0-9a-f]{64}\n$`,
	} {
		t.Chdir(t.TempDir())
		if before != "" {
			if err := os.WriteFile(config.EnvFile, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			text, err := makeToken("ada", "private-a,private-b", 1)
			if err != nil {
				t.Fatal(err)
			}
			settings, err := config.Load(config.Environment())
			if err != nil {
				t.Fatal(err)
			}
			token, err := auth.New(settings.Auth, time.Now).Verify(t.Context(), text)
			if err != nil || token.User != "ada" || len(token.Rooms) != 2 || time.Until(token.ExpiresAt) > time.Minute {
				t.Errorf("got %+v, %v", token, err)
			}
			made, err := os.ReadFile(config.EnvFile)
			if err != nil || !regexp.MustCompile(want).Match(made) {
				t.Errorf("%q became %q, %v", before, made, err)
			}
		}
		info, err := os.Stat(config.EnvFile)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("got %v, %v", info.Mode(), err)
		}
	}
}

func TestTokenSaysWhatIsWrong(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("AUTH_JWKS_URL", "https://keys.example/")
	for want, call := range map[string]func() (string, error){
		"expected -user":    func() (string, error) { return makeToken("a b", "", 1) },
		"expected -minutes": func() (string, error) { return makeToken("ada", "", -1) },
		"private key":       func() (string, error) { return makeToken("ada", "", 1) },
	} {
		if _, err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
