package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const secret = "a secret of thirty-two bytes or more"

func options() Options {
	return Options{Secret: secret, Audience: "tests", ClockTolerance: 5 * time.Second, TicketTTL: time.Second}
}

// sign makes a token; a claim that is nil is left out.
func sign(t *testing.T, method jwt.SigningMethod, key any, header map[string]any, changes jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": "ada", "aud": "tests", "exp": time.Now().Add(time.Minute).Unix()}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	token := jwt.NewWithClaims(method, claims)
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func with(t *testing.T, changes jwt.MapClaims) string {
	t.Helper()
	return sign(t, jwt.SigningMethodHS256, []byte(secret), nil, changes)
}

func isRefused(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused)
}

func retryAfter(err error) time.Duration {
	var unavailable *UnavailableError
	if errors.As(err, &unavailable) {
		return unavailable.RetryAfter
	}
	return 0
}

func TestTokensThatAreNotValid(t *testing.T) {
	a := New(options(), time.Now)
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	good, root := with(t, nil), with(t, jwt.MapClaims{"sub": "root"})
	parts, other := strings.Split(good, "."), strings.Split(root, ".")
	// The last character has bits that mean nothing.
	same := good[:len(good)-1] + string(good[len(good)-1]+1)
	bad := map[string]string{
		"unsigned":        sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, nil),
		"changed":         parts[0] + "." + other[1] + "." + parts[2],
		"spelled anew":    same,
		"garbage":         "abc.def.ghi",
		"too long":        with(t, jwt.MapClaims{"more": strings.Repeat("x", maxToken)}),
		"other algorithm": sign(t, jwt.SigningMethodHS512, []byte(secret), nil, nil),
		"other secret":    sign(t, jwt.SigningMethodHS256, []byte("x"+secret), nil, nil),
		"extension":       sign(t, jwt.SigningMethodHS256, []byte(secret), map[string]any{"crit": []string{"b64"}}, nil),
		"no exp":          with(t, jwt.MapClaims{"exp": nil}),
		"expired":         with(t, jwt.MapClaims{"exp": in(-time.Minute)}),
		"exp in text":     with(t, jwt.MapClaims{"exp": "never"}),
		"exp too far":     with(t, jwt.MapClaims{"exp": 1e300}),
		"early":           with(t, jwt.MapClaims{"nbf": in(time.Minute)}),
		"of tomorrow":     with(t, jwt.MapClaims{"iat": in(time.Minute)}),
		"iat too far":     with(t, jwt.MapClaims{"iat": -1e300}),
		"for others":      with(t, jwt.MapClaims{"aud": "others"}),
		"for nobody":      with(t, jwt.MapClaims{"aud": nil}),
		"no user":         with(t, jwt.MapClaims{"sub": nil}),
		"no name":         with(t, jwt.MapClaims{"sub": "a b"}),
		"jti no text":     with(t, jwt.MapClaims{"jti": 5}),
	}
	for name, text := range bad {
		if _, err := a.Verify(t.Context(), text); !isRefused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Options{}, time.Now).Verify(t.Context(), good); !isRefused(err) {
		t.Error("without a secret a token is valid")
	}
}

func TestValidTokens(t *testing.T) {
	a := New(options(), time.Now)
	exp, now := time.Now().Add(31_536_000_000*time.Millisecond).Unix(), time.Now().Unix()
	// A clock may be a little wrong.
	token, err := a.Verify(t.Context(), with(t, jwt.MapClaims{
		"exp": exp, "nbf": now + 3, "iat": now + 3, "jti": "one", "aud": []string{"others", "tests"},
		"rooms": []string{"private-a"}, "plan": "gold",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if token.User != "ada" || token.ID != "one" || token.ExpiresAt.Unix() != exp || token.IssuedAt.Unix() != now+3 {
		t.Errorf("got %+v", token)
	}
	if len(token.Rooms) != 1 || token.Rooms[0] != "private-a" || token.Claims["plan"] != "gold" {
		t.Errorf("got %+v", token)
	}
	late, err := a.Verify(t.Context(), with(t, jwt.MapClaims{"exp": now - 2, "rooms": []any{"private-a", 5}}))
	if err != nil {
		t.Fatal(err)
	}
	if !late.ExpiresAt.After(time.Now()) || late.Rooms != nil || !late.IssuedAt.IsZero() {
		t.Errorf("got %+v", late)
	}
	for _, rooms := range [][]string{nil, {"private-b"}} {
		o := options()
		o.Issuer = "us"
		text, err := Sign(&o, "bob", time.Minute, rooms)
		if err != nil {
			t.Fatal(err)
		}
		if token, err := New(o, time.Now).Verify(t.Context(), text); err != nil || len(token.Rooms) != len(rooms) || token.ID == "" {
			t.Errorf("got %+v, %v", token, err)
		}
		o.Issuer = "them"
		if _, err := New(o, time.Now).Verify(t.Context(), text); !isRefused(err) {
			t.Error("a token of another issuer is valid")
		}
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pemOf(t *testing.T, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestPublicKeysAllowTheAlgorithmOfTheirKind(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		key          crypto.Signer
		right, wrong jwt.SigningMethod
	}{
		{rsaKey, jwt.SigningMethodRS256, jwt.SigningMethodRS512},
		{newKey(t), jwt.SigningMethodES256, nil},
		{edKey, jwt.SigningMethodEdDSA, nil},
	} {
		der, err := x509.MarshalPKIXPublicKey(one.key.Public())
		text := pemOf(t, "PUBLIC KEY", der, err)
		key, err := ParsePublicKey(strings.ReplaceAll(text, "\n", `\n`))
		if err != nil {
			t.Fatal(err)
		}
		a := New(Options{PublicKey: key}, time.Now)
		if _, err := a.Verify(t.Context(), sign(t, one.right, one.key, nil, nil)); err != nil {
			t.Errorf("%s: %v", one.right.Alg(), err)
		}
		// The public key is no secret: who takes it for one must not get in.
		bad := []string{sign(t, jwt.SigningMethodHS256, []byte(text), nil, nil)}
		if one.wrong != nil {
			bad = append(bad, sign(t, one.wrong, one.key, nil, nil))
		}
		for _, token := range bad {
			if _, err := a.Verify(t.Context(), token); !isRefused(err) {
				t.Errorf("%s: %v", one.right.Alg(), err)
			}
		}
	}
	pkcs1 := pemOf(t, "RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey), nil)
	if _, err := ParsePublicKey(pkcs1); err != nil {
		t.Error(err)
	}
	small, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: rsaKey.Primes[0], E: 65537})
	smallText := pemOf(t, "PUBLIC KEY", small, err)
	private, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	for _, text := range []string{"", "hush", smallText, pemOf(t, "PRIVATE KEY", private, err), pkcs1 + "PRIVATE"} {
		if _, err := ParsePublicKey(text); err == nil {
			t.Errorf("%.40q is a public key", text)
		}
	}
}

// keyServer serves keys, while it is up.
type keyServer struct {
	keys   atomic.Pointer[[]map[string]any]
	status atomic.Int64
	asked  atomic.Int64
}

func jwkOf(t *testing.T, key *ecdsa.PrivateKey, more map[string]any) map[string]any {
	t.Helper()
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	write := base64.RawURLEncoding.EncodeToString
	one := map[string]any{"kty": "EC", "crv": "P-256", "x": write(point[1:33]), "y": write(point[33:])}
	maps.Copy(one, more)
	return one
}

func startKeys(t *testing.T, keys ...map[string]any) (*keyServer, string) {
	t.Helper()
	server := &keyServer{}
	server.keys.Store(&keys)
	server.status.Store(http.StatusOK)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server.asked.Add(1)
		if r.URL.Path == "/elsewhere" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		w.WriteHeader(int(server.status.Load()))
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": server.keys.Load()})
	}))
	t.Cleanup(web.Close)
	return server, web.URL
}

func TestKeysThatAreNotToBeHad(t *testing.T) {
	key := newKey(t)
	server, url := startKeys(t, jwkOf(t, key, nil))
	server.status.Store(http.StatusInternalServerError)
	a := New(Options{KeysURL: url}, time.Now)
	token := sign(t, jwt.SigningMethodES256, key, nil, nil)
	if _, err := a.Verify(t.Context(), token); retryAfter(err) != keysRetry {
		t.Errorf("got %v", err)
	}
	server.status.Store(http.StatusOK)
	if _, err := a.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
	// Nobody has to be asked about a token of another algorithm.
	asked := server.asked.Load()
	if _, err := a.Verify(t.Context(), with(t, nil)); !isRefused(err) || server.asked.Load() != asked {
		t.Errorf("got %v", err)
	}
	if _, err := New(Options{KeysURL: url + "/elsewhere"}, time.Now).Verify(t.Context(), token); retryAfter(err) == 0 {
		t.Errorf("was sent elsewhere: %v", err)
	}
}

func TestKeysThatChange(t *testing.T) {
	pairs := []*ecdsa.PrivateKey{newKey(t), newKey(t), newKey(t)}
	published := func(count int) (keys []map[string]any) {
		for i, key := range pairs[:count] {
			keys = append(keys, jwkOf(t, key, map[string]any{"kid": fmt.Sprint(i), "alg": "ES256", "use": "sig"}))
		}
		return keys
	}
	server, url := startKeys(t, published(1)...)
	now := time.Now()
	a := New(Options{KeysURL: url}, func() time.Time { return now })
	verify := func(index int, header map[string]any) error {
		exp := jwt.MapClaims{"exp": now.Add(time.Hour).Unix()}
		_, err := a.Verify(t.Context(), sign(t, jwt.SigningMethodES256, pairs[index], header, exp))
		return err
	}
	if err := verify(0, map[string]any{"kid": "0"}); err != nil {
		t.Fatal(err)
	}
	keys := published(2)
	server.keys.Store(&keys)
	// It is too early to ask again, however many name an unknown key.
	for range 3 {
		if err := verify(1, map[string]any{"kid": "1"}); retryAfter(err) != keysCooldown {
			t.Errorf("got %v", err)
		}
	}
	if server.asked.Load() != 1 {
		t.Errorf("asked %d times", server.asked.Load())
	}
	now = now.Add(keysCooldown)
	if err := verify(1, map[string]any{"kid": "1"}); err != nil {
		t.Error(err)
	}
	for index := range 2 {
		if err := verify(index, nil); err != nil {
			t.Errorf("a token that does not name its key: %v", err)
		}
	}
	// Signed by none of them; and by one that another fetch does not bring either.
	if err := verify(2, nil); !isRefused(err) {
		t.Errorf("got %v", err)
	}
	now = now.Add(keysCooldown)
	if err := verify(2, map[string]any{"kid": "2"}); !isRefused(err) {
		t.Errorf("got %v", err)
	}
	// A key that is not published any more ends some time.
	keys = published(1)
	server.keys.Store(&keys)
	now = now.Add(keysMaxAge)
	if err := verify(1, map[string]any{"kid": "1"}); err == nil {
		t.Error("a key of the past is good for ever")
	}
}

func TestKeysThatAreNotForTokens(t *testing.T) {
	key := newKey(t)
	wrong := []map[string]any{
		{"use": "enc"}, {"key_ops": []string{"sign"}}, {"alg": "ES384"}, {"crv": "P-384"}, {"kty": "oct"},
		{"y": base64.RawURLEncoding.EncodeToString(make([]byte, 32))}, {"x": "AA"}, {"x": "~"},
	}
	body := func(keys ...map[string]any) []byte {
		text, err := json.Marshal(map[string]any{"keys": keys})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, more := range wrong {
		if keys, err := parseKeys(body(jwkOf(t, key, more))); err != nil || len(keys) > 0 {
			t.Errorf("%v: %d keys, %v", more, len(keys), err)
		}
	}
	rsaKey := map[string]any{"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("\xff", 256))), "e": "AQAB"}
	if keys, err := parseKeys(body(rsaKey, jwkOf(t, key, map[string]any{"key_ops": []string{"verify"}}))); err != nil || len(keys) != 2 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	for _, text := range []string{"", "[]", "{}", `{"keys":5}`} {
		if _, err := parseKeys([]byte(text)); err == nil {
			t.Errorf("%q is a set of keys", text)
		}
	}
}

func TestTicketsEndAndAreNotGivenWithoutEnd(t *testing.T) {
	now := time.Now()
	tickets := newTickets(time.Second, func() time.Time { return now })
	ada := &Token{User: "ada"}
	first, count := tickets.Issue(ada), 1
	for tickets.Issue(ada) != "" {
		count++
	}
	if count != maxTicketsPerUser {
		t.Errorf("%d tickets of one user", count)
	}
	other := tickets.Issue(&Token{User: "bob"})
	now = now.Add(999 * time.Millisecond)
	if tickets.Redeem(first) != ada || tickets.Redeem(first) != nil || tickets.Redeem("x") != nil {
		t.Error("a ticket is good once")
	}
	now = now.Add(time.Millisecond)
	if tickets.Redeem(other) != nil {
		t.Error("a ticket outlives its time")
	}
	if tickets.Issue(ada) == "" {
		t.Error("expired tickets count")
	}
	for i := range 2 * maxTickets {
		tickets.Issue(&Token{User: fmt.Sprint("user-", i)})
	}
	if tickets.Issue(&Token{User: "late"}) != "" || len(tickets.known) != maxTickets {
		t.Error("there is no end of tickets")
	}
}

func TestRevocations(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	now := at(5000)
	clock := func() time.Time { return now }
	user := func(name string, issued int64) *Token { return &Token{User: name, IssuedAt: at(issued)} }
	r := newRevocations(10, 0, clock)
	r.RevokeUser("ada")
	// A clock that goes back undoes nothing.
	now = at(1000)
	r.RevokeUser("ada")
	for token, isRevoked := range map[*Token]bool{
		user("ada", 5000): true, user("ada", 5001): false, {User: "ada"}: true, user("bob", 1): false,
	} {
		if r.Cover(token) != isRevoked {
			t.Errorf("%+v is revoked: %t", token, !isRevoked)
		}
	}
	now = at(5000)
	tolerant := newRevocations(10, 5*time.Second, clock)
	tolerant.RevokeUser("ada")
	if !tolerant.Cover(user("ada", 5004)) || tolerant.Cover(user("ada", 5010)) {
		t.Error("a fast clock of who makes tokens is not taken into account")
	}
	// None is forgotten when there are too many, but more is refused.
	few := newRevocations(2, 0, clock)
	for i, id := range []string{"a", "b", "c"} {
		now = at(int64(i+1) * 1000)
		few.RevokeToken(id)
	}
	for token, isRevoked := range map[*Token]bool{
		{ID: "a", IssuedAt: at(500)}: true, {ID: "c", IssuedAt: at(1500)}: true, {ID: "z", IssuedAt: at(1500)}: false,
	} {
		if few.Cover(token) != isRevoked {
			t.Errorf("%+v is revoked: %t", token, !isRevoked)
		}
	}
	a := New(options(), time.Now)
	a.Revocations.RevokeToken("one")
	if _, err := a.Verify(t.Context(), with(t, jwt.MapClaims{"jti": "one"})); !isRefused(err) {
		t.Error("a revoked token is valid")
	}
}
