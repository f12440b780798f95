package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// keysTimeout is less than a handshake gets.
	keysTimeout = 3 * time.Second
	keysMaxAge  = 10 * time.Minute
	// keysCooldown is between two fetches because of unknown keys: anybody may name such a key.
	keysCooldown = 30 * time.Second
	// keysRetry is after which a token may come again that could not be checked.
	keysRetry = 5 * time.Second
	maxKeySet = 1 << 20
)

// keySet has the keys at a URL (RFC 7517).
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu        sync.Mutex
	keys      []namedKey
	fetchedAt time.Time
	// fetches that have begun; pending is the one that has not ended.
	fetches int
	pending *fetch
}

type namedKey struct {
	id  string
	key crypto.PublicKey
}

// fetch is over when done is closed; then err says whether it failed.
type fetch struct {
	done chan struct{}
	err  error
}

func newKeySet(url string, now func() time.Time) *keySet {
	return &keySet{
		url: url,
		now: now,
		client: &http.Client{
			Timeout: keysTimeout,
			// Who may send the server elsewhere could name any host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// find is the keys that token may be signed with. It is refused only if a fetch that began after the question
// has brought no such key: the keys may have been changed since the last one.
func (s *keySet) find(ctx context.Context, token *jwt.Token) (jwt.VerificationKeySet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.fetches
	for {
		age := s.now().Sub(s.fetchedAt)
		if age < keysMaxAge && !s.fetchedAt.IsZero() {
			if found := s.match(token); len(found.Keys) > 0 {
				return found, nil
			}
			if s.fetches > asked && s.pending == nil {
				return jwt.VerificationKeySet{}, errors.New("the key is unknown")
			}
			if age < keysCooldown {
				wait := max(time.Second, keysCooldown-age)
				return jwt.VerificationKeySet{}, &UnavailableError{"the key is unknown, and it is too early to fetch keys", wait}
			}
		}
		if err := s.wait(ctx); err != nil {
			return jwt.VerificationKeySet{}, &UnavailableError{err.Error(), keysRetry}
		}
	}
}

func (s *keySet) match(token *jwt.Token) (found jwt.VerificationKeySet) {
	id, hasID := token.Header["kid"].(string)
	for _, named := range s.keys {
		if AlgorithmOf(named.key) == token.Method.Alg() && (!hasID || named.id == id) {
			found.Keys = append(found.Keys, named.key)
		}
	}
	return found
}

// wait waits for a fetch, which many may share; s.mu is free meanwhile.
func (s *keySet) wait(ctx context.Context) error {
	current := s.pending
	if current == nil {
		current = &fetch{done: make(chan struct{})}
		s.pending = current
		s.fetches++
		go s.fetch(current)
	}
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-current.done:
		return current.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *keySet) fetch(current *fetch) {
	keys, err := s.get()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.keys, s.fetchedAt = keys, s.now()
	}
	current.err = err
	s.pending = nil
	close(current.done)
}

func (s *keySet) get() ([]namedKey, error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json, application/jwk-set+json")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("keys are answered with status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet))
	if err != nil {
		return nil, err
	}
	return parseKeys(body)
}

// jwk has the members that matter of a key (RFC 7517 section 4, RFC 7518 section 6).
type jwk struct {
	Kty    string   `json:"kty"`
	Kid    string   `json:"kid"`
	Use    string   `json:"use"`
	KeyOps []string `json:"key_ops"`
	Alg    string   `json:"alg"`
	Crv    string   `json:"crv"`
	N      octets   `json:"n"`
	E      octets   `json:"e"`
	X      octets   `json:"x"`
	Y      octets   `json:"y"`
}

// octets are written in base64url (RFC 7515 section 2).
type octets []byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = base64.RawURLEncoding.AppendDecode(nil, text)
	return err
}

// parseKeys reads a set of keys, without those that are not for checking signatures, or of kinds that are not
// known (RFC 7517 section 5).
func parseKeys(body []byte) ([]namedKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil || set.Keys == nil {
		return nil, errors.New("expected a set of keys")
	}
	keys := []namedKey{}
	for _, text := range set.Keys {
		var one jwk
		if json.Unmarshal(text, &one) != nil {
			continue
		}
		key := one.publicKey()
		isForSignatures := (one.Use == "" || one.Use == "sig") && (one.KeyOps == nil || slices.Contains(one.KeyOps, "verify"))
		algorithm := AlgorithmOf(key)
		if algorithm != "" && isForSignatures && (one.Alg == "" || one.Alg == algorithm) {
			keys = append(keys, namedKey{one.Kid, key})
		}
	}
	return keys, nil
}

func (k *jwk) publicKey() crypto.PublicKey {
	switch {
	case k.Kty == "RSA" && len(k.E) <= 4:
		e := int(new(big.Int).SetBytes(k.E).Int64())
		if e > 1 {
			return &rsa.PublicKey{N: new(big.Int).SetBytes(k.N), E: e}
		}
	case k.Kty == "EC" && k.Crv == "P-256" && len(k.X) == 32 && len(k.Y) == 32:
		point := slices.Concat([]byte{4}, k.X, k.Y)
		if key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point); err == nil {
			return key
		}
	case k.Kty == "OKP" && k.Crv == "Ed25519" && len(k.X) == ed25519.PublicKeySize:
		return ed25519.PublicKey(k.X)
	}
	return nil
}
