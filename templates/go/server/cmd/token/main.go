// Command token prints a token for tests:
//
//	go run ./cmd/token -user ada [-rooms private-a,private-b] [-minutes 60]
//
// If nothing says whose tokens are valid, it writes a secret to .env, which the server reads when it starts.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"example.com/ws-app/internal/auth"
	"example.com/ws-app/internal/config"
)

func main() {
	user := flag.String("user", "", "whom the token names")
	rooms := flag.String("rooms", "", "private names that are open to the user, separated by commas")
	minutes := flag.Float64("minutes", 60, "how long the token is valid")
	flag.Parse()
	token, err := makeToken(*user, *rooms, *minutes)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Println(token)
}

func makeToken(user, rooms string, minutes float64) (string, error) {
	if !auth.IsName(user) {
		return "", errors.New(`expected -user <name>: 1 to 64 letters, digits, ".", "_", "-"`)
	}
	if !(minutes > 0 && minutes < 1e8) {
		return "", errors.New("expected -minutes above 0")
	}
	settings, err := config.Load(config.Environment())
	if err != nil {
		return "", err
	}
	if settings.Auth.PublicKey != nil || settings.Auth.KeysURL != "" {
		return "", errors.New("only who has the private key makes tokens; unset AUTH_PUBLIC_KEY, AUTH_JWKS_URL")
	}
	if settings.Auth.Secret == "" {
		if settings.Auth.Secret, err = newSecret(); err != nil {
			return "", err
		}
	}
	var names []string
	if rooms != "" {
		names = strings.Split(rooms, ",")
	}
	return auth.Sign(&settings.Auth, user, time.Duration(minutes*float64(time.Minute)), names)
}

// newSecret makes a secret for this machine.
func newSecret() (string, error) {
	random := make([]byte, 32)
	// It never fails.
	_, _ = rand.Read(random)
	secret := hex.EncodeToString(random)
	present, err := os.ReadFile(config.EnvFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	line := "AUTH_SECRET=" + secret + "\n"
	if len(present) > 0 && present[len(present)-1] != '\n' {
		line = "\n" + line
	}
	file, err := os.OpenFile(config.EnvFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	if _, err = file.WriteString(line); err != nil {
		return "", errors.Join(err, file.Close())
	}
	fmt.Fprintf(os.Stderr, "wrote a new AUTH_SECRET to %s; restart the server\n", config.EnvFile)
	return secret, file.Close()
}
