package websocket

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// maxFields is the number of header fields of a handshake.
const maxFields = 200

// keyGUID makes the accept value (RFC 6455 section 1.3).
const keyGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// Refusal is the answer to a handshake that is turned down.
type Refusal struct {
	Status int
	// Reason is for the client, Hint for who reads the log.
	Reason, Hint string
	Header       http.Header
}

// hostField is RFC 9110 section 7.2: a host and maybe a port; no user, path, query or fragment.
var hostField = regexp.MustCompile(`^(?:[\w\-.~%!$&'()*+,;=]*|\[[0-9A-Fa-f:.]+\])(?::\d*)?$`)

// IsHost is whether text can be a Host header.
func IsHost(text string) bool { return hostField.MatchString(text) }

// WantsUpgrade is whether a request asks for WebSocket. A server ignores the protocols in Upgrade that it
// does not speak (RFC 9110 section 7.8).
func WantsUpgrade(r *http.Request) bool {
	has := func(field, token string) bool {
		return slices.ContainsFunc(listOf(r.Header, field), func(item string) bool {
			return strings.EqualFold(item, token)
		})
	}
	return has("Connection", "upgrade") && has("Upgrade", "websocket")
}

// CheckHandshake is RFC 6455 section 4.2.1, as far as net/http has not seen to it.
func CheckHandshake(r *http.Request) *Refusal {
	fields := 0
	for _, values := range r.Header {
		fields += len(values)
	}
	switch {
	case r.Method != http.MethodGet:
		return &Refusal{Status: http.StatusMethodNotAllowed, Reason: "GET only", Header: http.Header{"Allow": {"GET"}}}
	case r.Proto != "HTTP/1.1":
		return &Refusal{Status: http.StatusHTTPVersionNotSupported, Reason: "HTTP/1.1 only"}
	case !IsHost(r.Host):
		return &Refusal{Status: http.StatusBadRequest, Reason: "malformed Host header"}
	case fields > maxFields:
		reason := fmt.Sprintf("expected at most %d header fields", maxFields)
		return &Refusal{Status: http.StatusRequestHeaderFieldsTooLarge, Reason: reason}
	case len(r.Header.Values("Origin")) > 1:
		return &Refusal{Status: http.StatusBadRequest, Reason: "expected one Origin header"}
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		// What follows are frames; a proxy may take a part of them for the body.
		return &Refusal{Status: http.StatusBadRequest, Reason: "expected no body"}
	case !slices.Equal(r.Header.Values("Sec-Websocket-Version"), []string{"13"}):
		// RFC 6455 section 4.4: name the supported version.
		header := http.Header{"Sec-Websocket-Version": {"13"}, "Upgrade": {"websocket"}}
		return &Refusal{Status: http.StatusUpgradeRequired, Reason: "Sec-WebSocket-Version 13 only", Header: header}
	}
	keys := r.Header.Values("Sec-Websocket-Key")
	if len(keys) != 1 {
		return &Refusal{Status: http.StatusBadRequest, Reason: "expected one Sec-WebSocket-Key header"}
	}
	if key, err := base64.StdEncoding.Strict().DecodeString(keys[0]); err != nil || len(key) != 16 {
		return &Refusal{Status: http.StatusBadRequest, Reason: "Sec-WebSocket-Key is not 16 octets in base64"}
	}
	return nil
}

// Offered are the subprotocols that a client offers.
func Offered(r *http.Request) []string { return listOf(r.Header, "Sec-Websocket-Protocol") }

// Accept takes a handshake that is in order, with a subprotocol or none; its answer is sent by Serve or Close.
// If the connection of net/http has a method Unwrap, what that returns is read and written.
func Accept(w http.ResponseWriter, r *http.Request, subprotocol string, options *Options, meter Meter) (*Conn, error) {
	extension, isCompressed := "", false
	if options.Compression {
		extension, isCompressed = acceptOffer(listOf(r.Header, "Sec-Websocket-Extensions"))
	}
	tcp, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	if wrapped, ok := tcp.(interface{ Unwrap() net.Conn }); ok {
		tcp = wrapped.Unwrap()
	}
	// What is buffered can be peeked.
	pending, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
	c := newConn(tcp, pending, options, meter)
	c.Subprotocol = subprotocol
	c.deflate = isCompressed
	var answer strings.Builder
	answer.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
	accept := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + keyGUID))
	fmt.Fprintf(&answer, "Sec-WebSocket-Accept: %s\r\n", base64.StdEncoding.EncodeToString(accept[:]))
	if subprotocol != "" {
		fmt.Fprintf(&answer, "Sec-WebSocket-Protocol: %s\r\n", subprotocol)
	}
	if isCompressed {
		fmt.Fprintf(&answer, "Sec-WebSocket-Extensions: %s\r\n", extension)
	}
	answer.WriteString("\r\n")
	c.out.begin(answer.String())
	return c, nil
}

// acceptOffer answers the first offer of permessage-deflate that can be met (RFC 7692 section 5.1). Each
// message is compressed on its own, with a window of 32 KiB: compress/flate has no smaller one.
func acceptOffer(offers []string) (answer string, ok bool) {
	for _, offer := range offers {
		parameters := strings.Split(offer, ";")
		if strings.TrimSpace(parameters[0]) != "permessage-deflate" {
			continue
		}
		answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
		seen := map[string]bool{}
		ok = true
		for _, parameter := range parameters[1:] {
			name, value, hasValue := strings.Cut(strings.TrimSpace(parameter), "=")
			if unquoted, isQuoted := strings.CutPrefix(value, `"`); isQuoted {
				value = strings.TrimSuffix(unquoted, `"`)
			}
			switch {
			case seen[name]:
				ok = false
			case name == "server_no_context_takeover" || name == "client_no_context_takeover":
				ok = ok && !hasValue
			case name == "client_max_window_bits":
				ok = ok && (!hasValue || slices.Contains([]string{"8", "9", "10", "11", "12", "13", "14", "15"}, value))
			case name == "server_max_window_bits" && value == "15":
				answer += "; server_max_window_bits=15"
			default:
				ok = false
			}
			seen[name] = true
		}
		if ok {
			return answer, true
		}
	}
	return "", false
}

// listOf are the items of a field that is a list (RFC 9110 section 5.6.1).
func listOf(header http.Header, field string) []string {
	var items []string
	for _, value := range header.Values(field) {
		for item := range strings.SplitSeq(value, ",") {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
	}
	return items
}
