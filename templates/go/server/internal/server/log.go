package server

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// NewLogger writes JSON, one line per event, with nothing that a terminal obeys.
func NewLogger(to io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(escaping{to}, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
			switch {
			case len(groups) > 0:
			case attr.Key == slog.MessageKey:
				attr.Key = "event"
			case attr.Key == slog.LevelKey:
				return slog.String("level", strings.ToLower(attr.Value.String()))
			}
			return attr
		},
	}))
}

// escaping writes what JSON leaves as it is, and terminals obey, as \u....: DEL, C1 controls, line ends,
// direction of writing.
type escaping struct{ io.Writer }

func (e escaping) Write(line []byte) (int, error) {
	isSafe := func(r rune) bool { return r == '\n' || r < 0x7f || !unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) }
	text := make([]byte, 0, len(line))
	for at := 0; at < len(line); {
		r, size := utf8.DecodeRune(line[at:])
		switch {
		case isSafe(r):
			text = append(text, line[at:at+size]...)
		case r > 0xffff:
			text = append(text, "\ufffd"...)
		default:
			text = fmt.Appendf(text, `\u%04x`, r)
		}
		at += size
	}
	if _, err := e.Writer.Write(text); err != nil {
		return 0, err
	}
	return len(line), nil
}
