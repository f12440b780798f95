package realtime

import (
	"maps"
	"net/http"

	"example.com/ws-app/internal/auth"
	"example.com/ws-app/internal/websocket"
)

// maxRevocation is the bytes of the largest body of POST /revoke.
const maxRevocation = 4096

// authRoutes are POST /ticket for clients and POST /revoke for administrators.
func (h *Hub) authRoutes() []Route {
	return []Route{
		{Method: http.MethodPost, Path: "/ticket", Answer: h.giveTicket},
		{Method: http.MethodOptions, Path: "/ticket", Answer: allowTicket},
		{Method: http.MethodPost, Path: "/revoke", MaxBody: maxRevocation, Answer: h.revoke},
	}
}

type ticketAnswer struct {
	Ticket      string `json:"ticket"`
	ExpiresInMS int64  `json:"expiresInMs"`
}

func (h *Hub) giveTicket(request Request) Answer {
	token, refusal := h.verify(request.Context(), Bearer(request.Header))
	answer := Answer{Status: http.StatusOK, Header: http.Header{"Cache-Control": {"no-store"}}}
	if refusal == nil {
		// #if redis
		ticket, err := h.auth.IssueTicket(token)
		if err != nil {
			return request.Failed(err)
		}
		// #else
		//~ ticket := h.auth.Tickets.Issue(token)
		// #endif
		answer.Body = ticketAnswer{ticket, h.auth.Tickets.TTL.Milliseconds()}
		if ticket == "" {
			header := http.Header{"Retry-After": {"30"}}
			refusal = &websocket.Refusal{Status: http.StatusTooManyRequests, Reason: "too many unused tickets", Header: header}
		}
	}
	if refusal != nil {
		answer = request.Refuse(refusal)
	}
	if answer.Header == nil {
		answer.Header = http.Header{}
	}
	maps.Copy(answer.Header, crossOrigin(request))
	return answer
}

// allowTicket answers a page of an allowed origin, which asks before it sends its token.
func allowTicket(request Request) Answer {
	header := crossOrigin(request)
	header.Set("Access-Control-Allow-Methods", "POST")
	header.Set("Access-Control-Allow-Headers", "authorization")
	header.Set("Access-Control-Max-Age", "600")
	return Answer{Status: http.StatusNoContent, Header: header}
}

// crossOrigin lets the page that asked, whose origin is allowed, read the answer.
func crossOrigin(request Request) http.Header {
	header := http.Header{}
	if origin := request.Header.Get("Origin"); origin != "" {
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Vary", "Origin")
	}
	return header
}

func (h *Hub) revoke(request Request) Answer {
	if h.settings.AdminToken == "" {
		return Problem(http.StatusNotFound, "ADMIN_TOKEN is not set")
	}
	if !IsSecret(Bearer(request.Header), h.settings.AdminToken) {
		return request.Refuse(unauthorized("not ADMIN_TOKEN"))
	}
	var user, id string
	err := ReadBody(request.Body, func(fields *Fields) {
		if fields.Has("jti") {
			id = fields.Text("jti", 1, 256)
		} else {
			user = fields.Name("user")
		}
	})
	switch {
	case err != nil:
		return Problem(http.StatusBadRequest, `expected {"user":"…"} or {"jti":"…"}`)
	case id != "":
		h.auth.Revocations.RevokeToken(id)
	default:
		h.auth.Revocations.RevokeUser(user)
	}
	h.closeRevoked(h.auth.Revocations)
	// #if redis
	h.auth.TellRevoked(user, id)
	// #endif
	return Answer{Status: http.StatusNoContent}
}

// closeRevoked closes the connections that what was revoked has opened.
func (h *Hub) closeRevoked(revocations *auth.Revocations) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for client := range h.clients {
		if token := client.Identity().Token; token != nil && revocations.Cover(token) {
			client.Close(Revoked)
		}
	}
}
