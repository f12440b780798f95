// Package liveupdates sends the changes of documents to who watches them.
package liveupdates

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"sync"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/documents"
	"example.com/ws-app/internal/hook"
	"example.com/ws-app/internal/jsonvalue"
	"example.com/ws-app/internal/realtime"
)

const (
	notWatching    realtime.Code = "not_watching"
	tooManyWatches realtime.Code = "too_many_watches"
	noSuchDocument realtime.Code = "no_such_document"

	// watchCost is that of a watch in messages of the rate: the reply may hold a whole document.
	watchCost = 10
	// maxBody is the bytes of the largest body over HTTP.
	maxBody = 64 << 10
	// patchType is the media type of RFC 6902 section 6.
	patchType = "application/json-patch+json"
)

// LiveUpdates is a realtime.Application.
type LiveUpdates struct {
	settings  *config.Config
	hub       *realtime.Hub
	documents *documents.Documents
	authorize hook.Authorize

	mu sync.Mutex
	// byName has the clients that watch a document, byClient the documents of a client.
	byName   map[string]map[*realtime.Client]*watch
	byClient map[*realtime.Client]map[string]struct{}
}

// watch is one client that watches one document.
type watch struct {
	// offset is up to where the client has been told.
	offset int64
	// isBehind is whether patches were left out: it gets one snapshot as soon as it has read the rest.
	isBehind bool
}

var _ realtime.Application = (*LiveUpdates)(nil)

// New makes one that watches kept.
func New(settings *config.Config, hub *realtime.Hub, kept *documents.Documents, authorize hook.Authorize) *LiveUpdates {
	l := &LiveUpdates{
		settings:  settings,
		hub:       hub,
		documents: kept,
		authorize: authorize,
		byName:    map[string]map[*realtime.Client]*watch{},
		byClient:  map[*realtime.Client]map[string]struct{}{},
	}
	kept.Watcher = l
	return l
}

// Subprotocol is part of realtime.Application.
func (l *LiveUpdates) Subprotocol() string { return "live-updates.v1" }

// Features is part of realtime.Application.
func (l *LiveUpdates) Features() []string { return []string{"resume"} }

// Commands is part of realtime.Application.
func (l *LiveUpdates) Commands() map[string]realtime.Command {
	return map[string]realtime.Command{
		"watch":   {Read: l.readWatch, Cost: watchCost},
		"unwatch": {Read: l.readUnwatch},
	}
}

// Open is part of realtime.Application.
func (l *LiveUpdates) Open(_ context.Context, client *realtime.Client) error {
	client.OnDrained(func() { l.catchUp(client) })
	return nil
}

// Close is part of realtime.Application.
func (l *LiveUpdates) Close(client *realtime.Client) {
	for _, name := range l.names(client) {
		l.end(client, name)
	}
}

// #if auth

// Refresh is part of realtime.Application.
func (l *LiveUpdates) Refresh(ctx context.Context, client *realtime.Client) error {
	for _, name := range l.names(client) {
		isAllowed, err := l.authorize.Ask(ctx, client.Identity(), "watch", name)
		if err != nil {
			return err
		}
		if !isAllowed && l.end(client, name) {
			client.Send(unwatched{Head: realtime.Head{Type: "unwatched"}, Document: name, Code: realtime.Forbidden})
		}
	}
	return nil
}

// #endif
// #if metrics

// Count is how many documents are watched.
func (l *LiveUpdates) Count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.byName)
}

// #endif

type watching struct {
	realtime.Head
	Document  string            `json:"document"`
	Position  realtime.Position `json:"position"`
	Recovered bool              `json:"recovered"`
}

func (l *LiveUpdates) readWatch(fields *realtime.Fields) realtime.Action {
	name := fields.Name("document")
	since := fields.Position("since")
	return func(ctx context.Context, client *realtime.Client, id string) error {
		isAllowed, err := l.authorize.Ask(ctx, client.Identity(), "watch", name)
		if err != nil {
			return err
		}
		if !isAllowed {
			client.Fail(id, realtime.Forbidden, "you may not watch "+name)
			return nil
		}
		// Nothing is changed between the reply and the first patch after it.
		defer l.documents.Turn(name)()
		present, err := l.documents.Open(ctx, name)
		if err != nil {
			return err
		}
		if present == nil {
			client.Fail(id, noSuchDocument, "there is no document "+name)
			return nil
		}
		recovery, err := l.documents.Recover(ctx, name, since)
		if err != nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		snapshot := l.documents.Get(name)
		if snapshot == nil {
			client.Fail(id, noSuchDocument, "there is no document "+name)
			return nil
		}
		if !l.begin(client, snapshot) {
			client.Fail(id, tooManyWatches, "unwatch another document first")
			return nil
		}
		// #if redis
		// It may have been changed elsewhere since.
		recovery.Recovered = recovery.Recovered && recovery.Position == snapshot.Position
		// #endif
		// #if metrics
		if since != nil {
			l.hub.CountRecovery(recovery.Recovered)
		}
		// #endif
		text := realtime.JSON(watching{realtime.Head{Type: "watching", ID: id}, name, snapshot.Position, recovery.Recovered})
		text = text[:len(text)-1]
		if recovery.Recovered {
			text = append(text, `,"patches":[`...)
			for i, entry := range recovery.Entries {
				if i > 0 {
					text = append(text, ',')
				}
				text = append(text, documents.PatchText(entry)...)
			}
			text = append(text, ']', '}')
		} else {
			text = append(append(append(text, `,"data":`...), snapshot.Text...), '}')
		}
		client.Deliver(l.hub.Encoded("watching", text), false)
		return nil
	}
}

type unwatched struct {
	realtime.Head
	Document string        `json:"document"`
	Code     realtime.Code `json:"code,omitempty"`
}

func (l *LiveUpdates) readUnwatch(fields *realtime.Fields) realtime.Action {
	name := fields.Name("document")
	return func(_ context.Context, client *realtime.Client, id string) error {
		if !l.end(client, name) {
			client.Fail(id, notWatching, "not watching "+name)
			return nil
		}
		client.Send(unwatched{Head: realtime.Head{Type: "unwatched", ID: id}, Document: name})
		return nil
	}
}

// begin reports false if a client watches too many; it is called with l.mu held.
func (l *LiveUpdates) begin(client *realtime.Client, snapshot *documents.Snapshot) bool {
	name := snapshot.Name
	own := l.byClient[client]
	if _, isThere := own[name]; !isThere && len(own) >= l.settings.MaxWatchesPerClient {
		return false
	}
	if own == nil {
		own = map[string]struct{}{}
		l.byClient[client] = own
	}
	own[name] = struct{}{}
	if l.byName[name] == nil {
		l.byName[name] = map[*realtime.Client]*watch{}
	}
	l.byName[name][client] = &watch{offset: snapshot.Position.Offset}
	return true
}

// end reports false if a client does not watch a document.
func (l *LiveUpdates) end(client *realtime.Client, name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.remove(client, name)
}

// remove is called with l.mu held.
func (l *LiveUpdates) remove(client *realtime.Client, name string) bool {
	own := l.byClient[client]
	if _, isThere := own[name]; !isThere {
		return false
	}
	if delete(own, name); len(own) == 0 {
		delete(l.byClient, client)
	}
	if delete(l.byName[name], client); len(l.byName[name]) == 0 {
		delete(l.byName, name)
	}
	return true
}

func (l *LiveUpdates) names(client *realtime.Client) (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.byClient[client] {
		names = append(names, name)
	}
	return names
}

type patchHead struct {
	Type     string `json:"type"`
	Document string `json:"document"`
	Offset   int64  `json:"offset"`
}

// OnPatch is part of documents.Watcher: a patch to all who read fast enough, or the whole document where that is
// less.
func (l *LiveUpdates) OnPatch(snapshot *documents.Snapshot, patch []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	watchers := l.byName[snapshot.Name]
	if len(watchers) == 0 {
		return
	}
	var sent *realtime.Message
	if len(patch) > len(snapshot.Text) {
		sent = l.snapshotMessage(snapshot)
	} else {
		text := realtime.JSON(patchHead{"patch", snapshot.Name, snapshot.Position.Offset})
		text = append(append(append(text[:len(text)-1], `,"patch":`...), patch...), '}')
		sent = l.hub.Encoded("patch", text)
	}
	for client, own := range watchers {
		// A client that caught up just now may have it already.
		if own.isBehind || own.offset >= snapshot.Position.Offset {
			continue
		}
		own.offset = snapshot.Position.Offset
		own.isBehind = !client.DeliverIfSpace(sent)
	}
}

// #if redis

// OnReplaced is part of documents.Watcher: the whole document to all who watch it.
func (l *LiveUpdates) OnReplaced(snapshot *documents.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	watchers := l.byName[snapshot.Name]
	if len(watchers) == 0 {
		return
	}
	sent := l.snapshotMessage(snapshot)
	for client, own := range watchers {
		own.offset = snapshot.Position.Offset
		own.isBehind = own.isBehind || !client.DeliverIfSpace(sent)
	}
}

// IsWatched is part of documents.Watcher.
func (l *LiveUpdates) IsWatched(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.byName[name]) > 0
}

// #endif

type removed struct {
	realtime.Head
	Document string `json:"document"`
}

// OnRemoved is part of documents.Watcher.
func (l *LiveUpdates) OnRemoved(name string) {
	sent := l.hub.Message(removed{realtime.Head{Type: "removed"}, name})
	l.mu.Lock()
	defer l.mu.Unlock()
	for client := range l.byName[name] {
		client.Deliver(sent, false)
		l.remove(client, name)
	}
}

// catchUp is called when a client has read everything: a document that it is behind with is sent anew, one at a
// time.
func (l *LiveUpdates) catchUp(client *realtime.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.byClient[client] {
		own := l.byName[name][client]
		if !own.isBehind {
			continue
		}
		if client.Waits() {
			return
		}
		if snapshot := l.documents.Get(name); snapshot != nil {
			own.offset = snapshot.Position.Offset
			own.isBehind = !client.DeliverIfSpace(l.snapshotMessage(snapshot))
		}
	}
}

type snapshotHead struct {
	Type     string            `json:"type"`
	Document string            `json:"document"`
	Position realtime.Position `json:"position"`
}

func (l *LiveUpdates) snapshotMessage(snapshot *documents.Snapshot) *realtime.Message {
	text := realtime.JSON(snapshotHead{"snapshot", snapshot.Name, snapshot.Position})
	return l.hub.Encoded("snapshot", append(append(append(text[:len(text)-1], `,"data":`...), snapshot.Text...), '}'))
}

// Routes is part of realtime.Routed.
func (l *LiveUpdates) Routes() (routes []realtime.Route) {
	for method, answer := range map[string]func(realtime.Request) (realtime.Answer, error){
		http.MethodGet:    l.get,
		http.MethodPut:    l.put,
		http.MethodPatch:  l.patch,
		http.MethodDelete: l.delete,
	} {
		routes = append(routes, realtime.Route{
			Method: method, Path: "/documents/*", MaxBody: maxBody,
			Answer: func(request realtime.Request) realtime.Answer {
				if refused := request.RefusePublisher(l.settings.PublishToken); refused != nil {
					return *refused
				}
				answer, err := answer(request)
				var wrong *documents.Error
				switch {
				case errors.As(err, &wrong):
					return realtime.Problem(wrong.Status, wrong.Message)
				case err != nil:
					return request.Failed(err)
				}
				return answer
			},
		})
	}
	return routes
}

// expectedOf is the position in If-Match.
func expectedOf(request realtime.Request) string {
	text := request.Header.Get("If-Match")
	if len(text) >= 2 && strings.HasPrefix(text, `"`) && strings.HasSuffix(text, `"`) {
		return text[1 : len(text)-1]
	}
	return text
}

type position struct {
	Position realtime.Position `json:"position"`
}

func answerAt(at realtime.Position, body any) realtime.Answer {
	header := http.Header{"Etag": {fmt.Sprintf(`"%s:%d"`, at.Epoch, at.Offset)}}
	return realtime.Answer{Status: http.StatusOK, Header: header, Body: body}
}

func (l *LiveUpdates) get(request realtime.Request) (realtime.Answer, error) {
	snapshot, err := l.documents.Open(request.Context(), request.Name)
	if err != nil {
		return realtime.Answer{}, err
	}
	if snapshot == nil {
		return realtime.Problem(http.StatusNotFound, "there is no document "+request.Name), nil
	}
	return answerAt(snapshot.Position, struct {
		position
		Data any `json:"data"`
	}{position{snapshot.Position}, snapshot.Data}), nil
}

func (l *LiveUpdates) put(request realtime.Request) (realtime.Answer, error) {
	value, err := jsonvalue.Parse(request.Body)
	if err != nil {
		return realtime.Problem(http.StatusBadRequest, err.Error()), nil
	}
	at, err := l.documents.PutAt(request.Context(), request.Name, value, expectedOf(request))
	return answerAt(at, position{at}), err
}

func (l *LiveUpdates) patch(request realtime.Request) (realtime.Answer, error) {
	if kind, _, err := mime.ParseMediaType(request.Header.Get("Content-Type")); err != nil || kind != patchType {
		problem := realtime.Problem(http.StatusUnsupportedMediaType, "expected "+patchType)
		problem.Header = http.Header{"Accept-Patch": {patchType}}
		return problem, nil
	}
	operations, err := jsonvalue.Parse(request.Body)
	if err != nil {
		return realtime.Problem(http.StatusBadRequest, err.Error()), nil
	}
	at, err := l.documents.PatchAt(request.Context(), request.Name, operations, expectedOf(request))
	return answerAt(at, position{at}), err
}

func (l *LiveUpdates) delete(request realtime.Request) (realtime.Answer, error) {
	at, err := l.documents.Remove(request.Name, expectedOf(request))
	return realtime.Answer{Status: http.StatusOK, Body: position{at}}, err
}
