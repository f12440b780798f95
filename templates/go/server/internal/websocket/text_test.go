package websocket

import (
	"testing"
	"unicode/utf8"
)

func TestTextCheckIsEarly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		// at is how many octets it takes to see that it is wrong; 0 if it is not.
		at int
	}{
		"ASCII":                 {"hello", 0},
		"all lengths":           {"a\u00e9\u20ac\U0001f600", 0},
		"above U+10FFFF":        {"\xf4\x90\x80\x80", 2},
		"a surrogate":           {"\xed\xa0\x80", 2},
		"longer than necessary": {"\xc0\xaf", 1},
		"a lone continuation":   {"ab\x80", 3},
		"a character cut short": {"\xe2\x82a", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var check textCheck
			for i := range len(test.text) {
				if isGood := check.write([]byte(test.text[i : i+1])); isGood != (test.at == 0 || i+1 < test.at) {
					t.Fatalf("after %d octets it says %v", i+1, isGood)
				} else if !isGood {
					return
				}
			}
			if !check.isComplete() {
				t.Error("it is not complete")
			}
		})
	}
}

func FuzzTextCheck(f *testing.F) {
	f.Add([]byte("a\u00e9\u20ac\U0001f600"), byte(3))
	f.Add([]byte("\xf4\x8f\xbf\xbf\xed\x9f\xbf"), byte(1))
	f.Fuzz(func(t *testing.T, text []byte, step byte) {
		var check textCheck
		isGood := true
		for rest := text; isGood && len(rest) > 0; {
			n := min(int(step)%8+1, len(rest))
			isGood = check.write(rest[:n])
			rest = rest[n:]
		}
		if got, want := isGood && check.isComplete(), utf8.Valid(text); got != want {
			t.Errorf("%x in steps of %d: got %v, want %v", text, step%8+1, got, want)
		}
	})
}

func TestUnmask(t *testing.T) {
	t.Parallel()
	key := [4]byte{0x12, 0x34, 0x56, 0x78}
	for length := range 40 {
		for at := range uint64(8) {
			p := make([]byte, length)
			unmask(p, key, at)
			for i, octet := range p {
				if want := key[(at+uint64(i))&3]; octet != want {
					t.Fatalf("octet %d of %d from %d is %#x, want %#x", i, length, at, octet, want)
				}
			}
		}
	}
}

func TestAcceptOffer(t *testing.T) {
	t.Parallel()
	const plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	for offer, want := range map[string]string{
		"permessage-deflate":                                                 plain,
		"permessage-deflate; client_max_window_bits":                         plain,
		`permessage-deflate; client_max_window_bits="10"`:                    plain,
		"permessage-deflate; server_max_window_bits=15":                      plain + "; server_max_window_bits=15",
		"permessage-deflate; server_max_window_bits=9":                       "",
		"permessage-deflate; server_max_window_bits":                         "",
		"permessage-deflate; client_max_window_bits=16":                      "",
		"permessage-deflate; unknown":                                        "",
		"permessage-deflate;":                                                "",
		"permessage-deflate; server_no_context_takeover=1":                   "",
		"permessage-deflate; client_max_window_bits; client_max_window_bits": "",
		"x-webkit-deflate-frame":                                             "",
	} {
		answer, ok := acceptOffer([]string{offer})
		if answer != want && (ok || want != "") || ok != (want != "") {
			t.Errorf("%s: got %q, want %q", offer, answer, want)
		}
	}
}
