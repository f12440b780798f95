package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func load(env map[string]string) (Config, error) {
	return Load(func(name string) string { return env[name] })
}

func TestLoad(t *testing.T) {
	t.Parallel()
	// #if applications || !realtime
	const payload = "200000000"
	// #else
	//~ const payload = "100000000"
	// #endif
	c, err := load(map[string]string{
		"SUBPROTOCOLS": "b, a", "COMPRESSION": "none", "MAX_CONNECTIONS": "3", "MAX_PAYLOAD": payload,
		"ALLOWED_ORIGINS": "https://a.example,http://b.example:81", "ALLOWED_HOSTS": "a.example,[2001:db8::1]",
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Subprotocols, []string{"b", "a"}) || c.Compression || len(c.AllowedOrigins) != 2 || len(c.AllowedHosts) != 2 {
		t.Errorf("got %+v", c)
	}
	// What nobody set fits the rest.
	// #if realtime
	// #if applications
	if c.MaxConnectionsPerIP != 3 || c.MaxPayload != 65_536 {
		t.Errorf("%d connections of an address, %d bytes", c.MaxConnectionsPerIP, c.MaxPayload)
	}
	// #else
	//~ if c.MaxConnectionsPerIP != 3 || c.MaxPayload != 100_000_000 {
	//~ 	t.Errorf("%d connections of an address, %d bytes", c.MaxConnectionsPerIP, c.MaxPayload)
	//~ }
	// #endif
	// #else
	//~ if c.MaxConnectionsPerIP != 3 || c.MemoryBudget != 400_000_000 {
	//~ 	t.Errorf("%d connections of an address, %d bytes", c.MaxConnectionsPerIP, c.MemoryBudget)
	//~ }
	// #endif
}

// #if rooms && history

func TestLimitsThatNobodySetGiveWay(t *testing.T) {
	t.Parallel()
	c, err := load(map[string]string{"MAX_ROOMS": "5000", "MAX_BUFFERED": "65536"})
	if err != nil {
		t.Fatal(err)
	}
	if c.HistoryBytes != 65_536/4 || c.MaxRooms != 5000 {
		t.Errorf("%d bytes of %d rooms", c.HistoryBytes, c.MaxRooms)
	}
	c, err = load(map[string]string{"HISTORY_BYTES": "500000"})
	if err != nil {
		t.Fatal(err)
	}
	if c.HistoryBytes != 500_000 || c.MaxRooms != (128<<20)/500_000 || c.MaxRoomsPerIP != 128 {
		t.Errorf("%d bytes of %d rooms, %d of an address", c.HistoryBytes, c.MaxRooms, c.MaxRoomsPerIP)
	}
}

// #endif

func TestLoadNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env  map[string]string
		want string
	}{
		"too large":     {map[string]string{"PORT": "70000"}, `PORT is "70000", expected an integer from 0 to 65535`},
		"no number":     {map[string]string{"PING_INTERVAL": "1e4"}, `PING_INTERVAL is "1e4", expected an integer from 10 to 3600000`},
		"negative":      {map[string]string{"TRUST_PROXY": "-1"}, `TRUST_PROXY is "-1", expected an integer from 0 to 10`},
		"no choice":     {map[string]string{"COMPRESSION": "gzip"}, `COMPRESSION is "gzip", expected permessage-deflate or none`},
		"no token":      {map[string]string{"SUBPROTOCOLS": "a,b c"}, `SUBPROTOCOLS is "a,b c", expected names of subprotocols, separated by commas`},
		"no origin":     {map[string]string{"ALLOWED_ORIGINS": "https://a.example/"}, `ALLOWED_ORIGINS is "https://a.example/", expected origins as in https://example.com, separated by commas`},
		"default port":  {map[string]string{"ALLOWED_ORIGINS": "https://a.example:443"}, `ALLOWED_ORIGINS is "https://a.example:443", expected origins as in https://example.com, separated by commas`},
		"with a port":   {map[string]string{"ALLOWED_HOSTS": "a.example:80"}, `ALLOWED_HOSTS is "a.example:80", expected host names without a port, separated by commas`},
		"contradiction": {map[string]string{"MAX_PAYLOAD": "65536", "MEMORY_BUDGET": "100000", "MAX_BUFFERED": "16384"}, `MAX_PAYLOAD is "65536", expected at most 50000, as MEMORY_BUDGET is 100000: half of it is the share of one address`},
		"several":       {map[string]string{"PORT": "x", "HANDSHAKE_RATE": "0"}, "PORT is \"x\", expected an integer from 0 to 65535\nHANDSHAKE_RATE is \"0\", expected an integer from 1 to 1000000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := load(test.env); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestReadmeHasEverySetting(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("config.go")
	if err != nil {
		t.Fatal(err)
	}
	// #if auth
	more, err := os.ReadFile("auth.go")
	if err != nil {
		t.Fatal(err)
	}
	source = append(source, more...)
	// #endif
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`(?m)^[^/]*\("([A-Z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		if !strings.Contains(string(readme), "`"+match[1]+"`") {
			t.Errorf("README.md does not mention %s", match[1])
		}
	}
}
