package wsclient

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// withTokens has options whose Token gives the tokens one after the other, and tells what it has given.
func withTokens(options Options, tokens ...string) Options {
	options.Token = func(context.Context) (string, error) {
		if len(tokens) == 0 {
			return "not to be used", errors.New("no more tokens")
		}
		token := tokens[0]
		tokens = tokens[1:]
		return token, nil
	}
	return options
}

func expectToken(t *testing.T, command object, token string) {
	t.Helper()
	if command["token"] != token {
		t.Fatalf("expected the token %s, got %v", token, command)
	}
}

func asking() object { return object{"type": "auth-required", "timeoutMs": 10_000} }

func TestTokens(t *testing.T) {
	forAll(t, func(t *testing.T, kind kindOfClient) {
		s := serve(t, nil)
		client, _, err := kind.make(withTokens(s.options(), "t1", "t2", "t3", "t4"))
		if err != nil {
			t.Fatal(err)
		}
		ended := run(t, client)
		p := s.accept()
		p.send(asking())
		expectToken(t, p.next("auth"), "t1")
		p.welcome("auth")
		p.send(object{"type": "token-expiring", "expiresInMs": 5000})
		command := p.next("auth")
		expectToken(t, command, "t2")
		// The server cannot check it at the moment.
		p.send(object{"type": "error", "id": command["id"], "code": "unavailable", "message": "later", "retryAfterMs": 1})
		expectToken(t, p.next("auth"), "t2")
		p.send(object{"type": "authenticated", "expiresAt": time.Now().Add(time.Second)})
		expectToken(t, p.next("auth"), "t3")
		p.cut()
		p = s.accept()
		p.send(asking())
		expectToken(t, p.next("auth"), "t3")
		p.close(4501)
		p = s.accept()
		p.send(asking())
		expectToken(t, p.next("auth"), "t4")
		p.close(4501)
		expectCode(t, take(t, ended, "the end"), 4501)
	})
}

func TestNoToken(t *testing.T) {
	forAll(t, func(t *testing.T, kind kindOfClient) {
		s := serve(t, nil)
		complaints := make(chan error, 10)
		options := s.options()
		options.OnError = func(err error) { complaints <- err }
		client, _, err := kind.make(withTokens(options))
		if err != nil {
			t.Fatal(err)
		}
		run(t, client)
		s.accept().send(asking())
		if err := take(t, complaints, "the complaint"); !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), "no more") {
			t.Fatal(err)
		}
		// Nor is what came with the error used now.
		s.accept().send(asking())
		if err := take(t, complaints, "another complaint"); !errors.Is(err, ErrToken) {
			t.Fatal(err)
		}
		s.accept()

		client, _, _ = kind.make(options)
		ended := run(t, client)
		s.accept().send(asking())
		expectCode(t, take(t, ended, "the end"), 4500)
	})
}
