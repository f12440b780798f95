package main

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
)

func TestRunSaysWhatIsWrong(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	for name, test := range map[string]struct {
		port string
		code int
		want string
	}{
		"a wrong setting":      {"70000", 2, `PORT is "70000", expected an integer from 0 to 65535`},
		"a port that is taken": {port, 1, "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{"PORT": test.port, "HOST": "127.0.0.1"}
			var stderr strings.Builder
			code := run(context.Background(), func(name string) string { return env[name] }, io.Discard, &stderr)
			if code != test.code || !strings.Contains(stderr.String(), test.want) {
				t.Errorf("got %d and %q, want %d and %q", code, stderr.String(), test.code, test.want)
			}
		})
	}
}
