module example.com/ws-app

// #if graphql
go 1.25.0
// #else
//~ go 1.25
// #endif

// #if auth
require github.com/golang-jwt/jwt/v5 v5.3.1

// #endif
// #if graphql
require github.com/graph-gophers/graphql-go v1.11.0

// #endif
// #if redis
require github.com/redis/go-redis/v9 v9.22.0

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	go.uber.org/atomic v1.11.0 // indirect
	golang.org/x/sys v0.30.0 // indirect
)

// #endif
// #if wamp
require go.yaml.in/yaml/v3 v3.0.6

// #endif
