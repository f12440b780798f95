package wsclient

// reconnect is what a client does after its connection is lost.
type reconnect int

const (
	never reconnect = iota
	// withDelay tries again after a random delay that grows.
	withDelay
	atOnce
	// withToken tries again with a new token, withTokenOnce does so once.
	withToken
	withTokenOnce
)

// afterClose goes by the close code: 1000 to 1015 are RFC 6455's, the servers' own start at 4000.
func afterClose(code int) reconnect {
	switch code {
	case 1000, // The client or the server has finished.
		1002, 1003, 1007, 1008, 1009: // The client did something wrong, and would do so again.
		return never
	case 4401: // The token expired.
		return withToken
	case 4409: // The server lost the client's position.
		return atOnce
	case 4501: // The token was refused.
		return withTokenOnce
	}
	if code >= 4500 && code <= 4999 {
		return never
	}
	return withDelay
}

// afterStatus goes by the HTTP status that came in place of 101.
func afterStatus(status int) reconnect {
	switch {
	case status == 401:
		return withTokenOnce
	case status >= 500, status == 408, status == 425, status == 429:
		return withDelay
	}
	return never
}
