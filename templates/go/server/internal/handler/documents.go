package handler

import (
	"context"
	"math/rand/v2"
	"time"

	"example.com/ws-app/internal/documents"
)

// StartDocuments is called before the server listens: create documents here, and change them whenever something
// happens. Put sends the difference to who watches, Patch takes operations of RFC 6902. ctx ends when the server
// shuts down.
func StartDocuments(ctx context.Context, docs *documents.Documents, isDemo bool) error {
	status := map[string]string{"state": "running", "since": time.Now().UTC().Format(time.RFC3339)}
	if _, err := docs.Put(ctx, "status", status); err != nil || !isDemo {
		return err
	}
	// An example of a document that changes: a few prices, one of them each second.
	names := []string{"apple", "bread", "coffee"}
	prices := map[string]int{"apple": 100, "bread": 250, "coffee": 500}
	if _, err := docs.Put(ctx, "prices", prices); err != nil {
		return err
	}
	go func() {
		each := time.NewTicker(time.Second)
		defer each.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-each.C:
				name := names[rand.IntN(len(names))]
				prices[name] = max(1, prices[name]+rand.IntN(11)-5)
				// One that is refused is made up for by the next.
				_, _ = docs.Put(ctx, "prices", prices)
			}
		}
	}()
	return nil
}
