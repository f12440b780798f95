package wsclient

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"strconv"
	"strings"
)

const graphqlProtocol = "graphql-transport-ws"

// GraphQL is a client of a GraphQL server, which subscribes again after a lost connection. Its methods may be called from
// any goroutine.
type GraphQL struct {
	sessions[*graphqlSession]
	// subscriptions are asked for in each session; it has the lock.
	subscriptions map[*operation]struct{}
}

// GraphQLError is what a server answers with that has not carried out an operation, or not all of it.
type GraphQLError struct {
	Errors []GraphQLFault
}

// GraphQLFault is one of its errors (section 7.1.2 of the GraphQL specification).
type GraphQLFault struct {
	Message string `json:"message"`
	// Path is names of fields and positions in lists, from the root.
	Path       []any          `json:"path"`
	Extensions map[string]any `json:"extensions"`
}

func (e *GraphQLError) Error() string {
	texts := make([]string, len(e.Errors))
	for i, fault := range e.Errors {
		texts[i] = fault.Message
	}
	return strings.Join(texts, "; ")
}

// NewGraphQL makes a client. It does nothing before Run.
func NewGraphQL(options Options) (*GraphQL, error) {
	g := &GraphQL{subscriptions: map[*operation]struct{}{}}
	if err := g.complete(options, graphqlProtocol); err != nil {
		return nil, err
	}
	g.hasToken = options.Token != nil
	g.afterClose = afterGraphQLClose
	g.ended = func(reason string) {
		for of := range g.subscriptions {
			g.finish(of, ErrClosed.because("%s", reason))
		}
	}
	g.talk = func(l *link) *graphqlSession {
		return &graphqlSession{link: l, client: g, asked: map[string]*operation{}}
	}
	return g, nil
}

// afterGraphQLClose goes by the codes of graphql-transport-ws, as the client of the library graphql-ws does.
func afterGraphQLClose(code int) reconnect {
	switch code {
	case 4004, 4005, // The client finds fault with the server, or with itself.
		4400, 4401, 4406, 4409, 4429, // It would break the protocol again.
		4500:
		return never
	case 4403: // The token was refused.
		return withTokenOnce
	case 1000: // The server has finished, this client has not.
		return withDelay
	}
	if code >= 4000 {
		return withDelay
	}
	return afterClose(code)
}

// Execute carries out a query or a mutation, and reads its data; variables are a struct, a map or nil. With errors of the
// server it is a *GraphQLError, besides what there is of the data. Execute waits for a connection, but asks once: after
// ErrUnknownOutcome, when the connection was lost before the answer, the server may have carried it out. When ctx is done,
// the server is told so.
func Execute[Data any](ctx context.Context, g *GraphQL, document string, variables any) (data Data, err error) {
	of, err := newOperation(document, variables)
	if err != nil {
		return data, err
	}
	for isAsked := false; !isAsked; {
		session, err := g.open(ctx)
		if err != nil {
			return data, err
		}
		isAsked = session.ask(of)
	}
	result := g.next(ctx, of)
	if result.isEnd {
		g.abandon(of, nil)
	}
	return dataOf[Data](result)
}

// Subscribe gives the events of a subscription, until the server completes it, ctx is done, or the loop ends. It begins at
// once, and is subscribed again after a lost connection: what happens meanwhile is missed. An event with errors of the
// server comes with a *GraphQLError, and others may follow; the last may come with why it ends. Of a program that takes
// them too slowly, no more than 4096 wait: then it ends with ErrBehind. The events are given once.
func Subscribe[Data any](ctx context.Context, g *GraphQL, document string, variables any) iter.Seq2[Data, error] {
	of, err := newOperation(document, variables)
	if err != nil {
		return func(yield func(Data, error) bool) {
			var none Data
			yield(none, err)
		}
	}
	of.isStanding = true
	g.stand(of)
	forget := context.AfterFunc(ctx, func() { g.abandon(of, aborted(ctx)) })
	return func(yield func(Data, error) bool) {
		defer func() {
			forget()
			g.abandon(of, nil)
		}()
		for {
			event := g.next(ctx, of)
			if event.isEnd && event.err == nil {
				return
			}
			data, err := dataOf[Data](event)
			if !yield(data, err) || event.isEnd {
				return
			}
		}
	}
}

func dataOf[Data any](of answer) (data Data, err error) {
	if of.err != nil || of.isEnd {
		return data, cmp.Or(of.err, error(ErrUnknownOutcome.because("the server gave no result")))
	}
	var result struct {
		Data   *Data
		Errors []GraphQLFault
	}
	err = json.Unmarshal(of.payload, &result)
	if result.Data != nil {
		data = *result.Data
	}
	if err == nil && len(result.Errors) > 0 {
		err = &GraphQLError{result.Errors}
	}
	return data, err
}

// operation is what is carried out.
type operation struct {
	payload json.RawMessage
	// isStanding is whether it is asked for in each session.
	isStanding bool
	// All of the following has the lock of the client. session is the last that has asked for it, under the id.
	session *graphqlSession
	id      string
	// waiting wait for the program; after isOver no more come, but the end.
	waiting    []answer
	isAnswered bool
	isOver     bool
	end        answer
	wake       chan struct{}
}

// answer is a result, or the end.
type answer struct {
	payload json.RawMessage
	err     error
	isEnd   bool
}

func newOperation(document string, variables any) (*operation, error) {
	payload, err := encode(struct {
		Query     string `json:"query"`
		Variables any    `json:"variables,omitempty"`
	}{document, variables})
	return &operation{payload: payload, wake: make(chan struct{}, 1)}, err
}

// next waits for the next answer.
func (g *GraphQL) next(ctx context.Context, of *operation) answer {
	for ctx.Err() == nil {
		g.mu.Lock()
		if len(of.waiting) > 0 {
			first := of.waiting[0]
			of.waiting = of.waiting[1:]
			g.mu.Unlock()
			return first
		}
		isOver, end := of.isOver, of.end
		g.mu.Unlock()
		if isOver {
			return end
		}
		select {
		case <-of.wake:
		case <-ctx.Done():
		}
	}
	return answer{err: aborted(ctx), isEnd: true}
}

// stand asks for a subscription in this session and those after it.
func (g *GraphQL) stand(of *operation) {
	g.mu.Lock()
	if g.state.Name == Closed {
		g.finish(of, ErrClosed.because("%s", g.state.Reason))
	} else {
		g.subscriptions[of] = struct{}{}
	}
	session := g.session
	g.mu.Unlock()
	if session != nil {
		session.ask(of)
	}
}

// give is called with the lock.
func (of *operation) give(one answer) {
	of.waiting = append(of.waiting, one)
	of.isAnswered = true
	of.rouse()
}

func (of *operation) rouse() {
	select {
	case of.wake <- struct{}{}:
	default:
	}
}

// finish ends an operation, and is called with the lock.
func (g *GraphQL) finish(of *operation, err error) {
	if of.isOver {
		return
	}
	of.isOver, of.end = true, answer{err: err, isEnd: true}
	delete(g.subscriptions, of)
	if of.session != nil {
		delete(of.session.asked, of.id)
	}
	of.rouse()
}

// abandon ends an operation that the program does not want any more, and tells the server.
func (g *GraphQL) abandon(of *operation, err error) {
	g.mu.Lock()
	session, isOver := of.session, of.isOver
	g.finish(of, err)
	g.mu.Unlock()
	if session != nil && !isOver {
		_ = session.write(outgoing{ID: of.id, Type: "complete"})
	}
}

// graphqlSession is one session.
type graphqlSession struct {
	*link
	client *GraphQL
	// asked are the operations that the server has not completed, by id; nil when no more is asked. With lastID it has the
	// lock of the client.
	asked  map[string]*operation
	lastID int
	// isAcknowledged is for take.
	isAcknowledged bool
}

type outgoing struct {
	ID      string `json:"id,omitempty"`
	Type    string `json:"type"`
	Payload any    `json:"payload,omitempty"`
}

func (s *graphqlSession) begin() {
	opening := outgoing{Type: "connection_init"}
	if s.client.hasToken {
		token, err := s.client.options.token(s.ctx)
		if err != nil {
			s.client.report(err)
			s.end(&loss{code: 1006, reason: "there is no token"})
			return
		}
		opening.Payload = map[string]string{"token": token}
	}
	_ = s.write(opening)
}

func (s *graphqlSession) goodbye() {}

func (s *graphqlSession) forget() {
	g := s.client
	g.mu.Lock()
	defer g.mu.Unlock()
	asked := s.asked
	s.asked = nil
	for _, of := range asked {
		if of.session = nil; !of.isStanding {
			g.finish(of, ErrUnknownOutcome.because("the connection was lost before the answer"))
		}
	}
}

// ask sends an operation, and reports whether the session took it: if not, nothing was sent.
func (s *graphqlSession) ask(of *operation) bool {
	// So that nobody can complete what was not yet sent.
	s.writing.Lock()
	defer s.writing.Unlock()
	s.client.mu.Lock()
	isTaken := s.asked != nil
	isMeant := isTaken && !of.isOver && of.session == nil
	if isMeant {
		s.lastID++
		of.session, of.id = s, strconv.Itoa(s.lastID)
		s.asked[of.id] = of
	}
	s.client.mu.Unlock()
	if isMeant {
		text, err := encode(outgoing{of.id, "subscribe", of.payload})
		if err == nil {
			_ = s.writeText(text)
		}
	}
	return isTaken
}

// resume asks for the subscriptions there are, and opens the session.
func (s *graphqlSession) resume() {
	for of := s.unasked(); of != nil; of = s.unasked() {
		if !s.ask(of) {
			return
		}
	}
}

// unasked is a subscription that is not asked for; if there is none, the session is open.
func (s *graphqlSession) unasked() *operation {
	g := s.client
	g.mu.Lock()
	defer g.mu.Unlock()
	for of := range g.subscriptions {
		if of.session == nil {
			return of
		}
	}
	g.isOpen(s, s.link)
	return nil
}

func (s *graphqlSession) take(text []byte) *loss {
	var m struct {
		Type    string
		ID      string
		Payload json.RawMessage
	}
	malformed := &loss{code: 1006, reason: "malformed message"}
	if json.Unmarshal(text, &m) != nil {
		return malformed
	}
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	of := s.asked[m.ID]
	switch m.Type {
	case "connection_ack":
		if !s.isAcknowledged {
			s.isAcknowledged = true
			s.others.Go(s.resume)
		}
	case "ping":
		s.others.Go(func() { _ = s.write(outgoing{Type: "pong", Payload: m.Payload}) })
	case "pong":
	case "next":
		switch {
		case of == nil:
		case of.isAnswered && !of.isStanding, len(of.waiting) == maxPendingEvents:
			s.others.Go(func() {
				s.client.abandon(of, ErrBehind.because("more than %d events wait", maxPendingEvents))
			})
		default:
			of.give(answer{payload: m.Payload})
		}
	case "error":
		refused := &GraphQLError{}
		if json.Unmarshal(m.Payload, &refused.Errors) != nil {
			return malformed
		}
		if of != nil {
			s.client.finish(of, refused)
		}
	case "complete":
		if of != nil {
			s.client.finish(of, nil)
		}
	default:
		return malformed
	}
	return nil
}
