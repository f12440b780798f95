// Command server is ws-app, a WebSocket chat server (RFC 6455). It needs Go 1.25 or newer, and nothing else:
//
//	PORT=8080 go run ./cmd/server
//
// It can face the network directly: Origin check, time limits, shares of connections, work and memory for
// each address, bounded buffers, heartbeat, health checks and graceful shutdown. Config lists every setting,
// Load its environment variable.
package main

import (
	"context"
	// #if auth
	"crypto/rand"
	// #endif
	"errors"
	"fmt"
	"io"
	// #if realtime
	"log/slog"
	// #endif
	"net"
	"os"
	"os/signal"
	// #if realtime
	"runtime/debug"
	// #endif
	"strconv"
	"syscall"
	// #if auth || live && redis
	"time"
	// #endif

	// #if auth
	"example.com/ws-app/internal/auth"
	// #endif
	// #if chat
	"example.com/ws-app/internal/chat"
	// #endif
	"example.com/ws-app/internal/config"
	// #if realtime
	"example.com/ws-app/internal/demo"
	// #endif
	// #if live
	"example.com/ws-app/internal/documents"
	// #endif
	// #if graphql
	"example.com/ws-app/internal/graphqlws"
	// #endif
	"example.com/ws-app/internal/handler"
	// #if jsonrpc
	"example.com/ws-app/internal/jsonrpc"
	// #endif
	// #if live
	"example.com/ws-app/internal/liveupdates"
	// #endif
	// #if pubsub
	"example.com/ws-app/internal/pubsub"
	// #endif
	// #if realtime
	"example.com/ws-app/internal/realtime"
	// #endif
	// #if redis
	"example.com/ws-app/internal/redislink"
	// #endif
	"example.com/ws-app/internal/server"
	// #if applications
	"example.com/ws-app/internal/store"
	// #endif
	// #if realtime
	// #if wamp
	"example.com/ws-app/internal/wamp"
	// #endif
	"example.com/ws-app/public"
	// #endif
)

func main() {
	// #if realtime
	// Most memory is what waits for slow clients: the default would let as much again be garbage.
	if _, isSet := os.LookupEnv("GOGC"); !isSet {
		debug.SetGCPercent(50)
	}
	// #endif
	// #if auth
	os.Exit(run(context.Background(), config.Environment(), os.Stdout, os.Stderr))
	// #else
	//~ os.Exit(run(context.Background(), os.Getenv, os.Stdout, os.Stderr))
	// #endif
}

// run serves until a signal comes. It returns the exit code: 2 for wrong settings.
func run(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer) int {
	settings, err := config.Load(getenv)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// A closed log pipe must not end the server.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		cancel(errors.New((<-signals).String()))
		// Who asks twice wants no goodbyes.
		<-signals
		os.Exit(1)
	}()
	address := net.JoinHostPort(settings.Host, strconv.Itoa(settings.Port))
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		fmt.Fprintf(stderr, "cannot listen on PORT %d: %v\n", settings.Port, err)
		return 1
	}
	// #if realtime
	logger := server.NewLogger(stdout)
	// #if wamp
	router, err := wamp.New(&settings, handler.Realms, handler.Procedures, getenv, logger)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	s, err := assemble(ctx, &settings, logger, router)
	// #else
	//~ s, err := assemble(ctx, &settings, logger)
	// #endif
	if err == nil {
		err = s.Serve(ctx, listener)
	}
	// #else
	//~ err = server.New(settings, server.NewLogger(stdout), handler.OnMessage).Serve(ctx, listener)
	// #endif
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// #if realtime

// kill ends this process as a crash would.
func kill() {
	if own, err := os.FindProcess(os.Getpid()); err == nil {
		_ = own.Kill()
	}
}

// #if live && redis

// startLater makes documents that will be there when Redis is, or has space.
func startLater(ctx context.Context, logger *slog.Logger, start func() error) {
	for ctx.Err() == nil {
		time.Sleep(time.Second)
		if err := start(); err == nil {
			return
		} else if !documents.IsForLater(err) {
			logger.Error("start-failed", "message", err.Error())
			return
		}
	}
}

// #endif

// assemble puts the server together with what its clients talk to.
// #if wamp
func assemble(ctx context.Context, settings *config.Config, logger *slog.Logger, router *wamp.WAMP) (*server.Server, error) {
	// #else
//~ func assemble(ctx context.Context, settings *config.Config, logger *slog.Logger) (*server.Server, error) {
	// #endif
	// #if auth
	if settings.Demo && !settings.Production && !auth.New(settings.Auth, time.Now).HasKey() {
		// The page can sign in though nobody has set a key.
		settings.Auth.Secret = rand.Text() + rand.Text()
	}
	// #if redis
	now, link := time.Now, (*redislink.Link)(nil)
	if settings.Redis.URL != "" {
		link = redislink.New(settings.Redis, logger)
		now = link.Now
	}
	tokens := auth.New(settings.Auth, now)
	// #else
	//~ tokens := auth.New(settings.Auth, time.Now)
	// #endif
	if !tokens.HasKey() {
		logger.Warn("no-secret", "hint", "AUTH_SECRET is not set: no token is valid. `go run ./cmd/token -user ada` writes "+
			"a secret to .env and prints a token; then start again")
	}
	hub := realtime.NewHub(settings, tokens)
	// #else
	// #if redis
	//~ var link *redislink.Link
	//~ if settings.Redis.URL != "" {
	//~ 	link = redislink.New(settings.Redis, logger)
	//~ }
	// #endif
	//~ hub := realtime.NewHub(settings, handler.Identify)
	// #endif
	// #if applications
	var s *server.Server
	newMemory := func() *store.Memory {
		return store.NewMemory(store.LimitsOf(settings, func() int { return s.Space() }))
	}
	var kept store.Store = newMemory()
	// #if redis
	end := func() {}
	if link != nil {
		hub.Share(link)
		shared := store.NewRedis(settings, link, logger, newMemory)
		kept = shared
		end = func() {
			shared.Close()
			link.Close()
		}
	}
	// #endif
	hub.OnTrim(kept.Trim)
	// #if chat
	hooks := chat.Hooks{OnMessage: handler.OnText}
	// #if rooms
	hooks.Authorize = handler.Authorize
	// #endif
	rooms, err := chat.New(ctx, settings, hub, kept, hooks)
	if err != nil {
		return nil, err
	}
	hub.Add(rooms)
	// #endif
	// #if pubsub
	hub.Add(pubsub.New(settings, hub, kept, handler.Authorize))
	// #endif
	// #if live
	shared := documents.New(settings, kept)
	hub.Add(liveupdates.New(settings, hub, shared, handler.Authorize))
	// #endif
	// #endif
	// #if graphql
	schema, err := graphqlws.New(settings, handler.Schema, handler.NewResolvers())
	if err != nil {
		return nil, err
	}
	hub.Speak(schema)
	// #if graphql-legacy
	hub.Speak(schema.Legacy())
	// #endif
	// #endif
	// #if jsonrpc
	methods, err := jsonrpc.New(settings, handler.Methods)
	if err != nil {
		return nil, err
	}
	hub.Speak(methods)
	// #endif
	// #if wamp
	hub.Speak(router)
	// #endif
	if settings.Demo {
		hub.AddRoutes(demo.Routes(settings, public.Files, kill))
	}
	// #if applications
	s = server.New(*settings, logger, hub)
	// #else
	//~ s := server.New(*settings, logger, hub)
	// #endif
	// #if redis
	s.AtEnd = end
	if link != nil {
		link.Start()
	}
	// #endif
	// #if live
	start := func() error { return handler.StartDocuments(ctx, shared, settings.Demo) }
	// #if redis
	if err := start(); documents.IsForLater(err) {
		go startLater(ctx, logger, start)
	} else if err != nil {
		return nil, err
	}
	// #else
	//~ if err := start(); err != nil {
	//~ 	return nil, err
	//~ }
	// #endif
	// #endif
	return s, nil
}

// #endif
