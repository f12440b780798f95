package wamp

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// realms are what a file says of them.
type realms map[string]settings

// realmFile is a realm as the file has it.
type realmFile struct {
	// Anonymous is the role of who does not say who it is; empty: nobody may.
	Anonymous string `yaml:"anonymous"`
	// #if auth
	// Tokens is the role of who shows a token; empty: nobody may.
	Tokens string `yaml:"tokens"`
	// #endif
	// Roles are those that users may have, with what they may do.
	Roles map[string][]rule `yaml:"roles"`
	// Users are by the name that they say.
	Users map[string]userFile `yaml:"users"`
}

// userFile is a user as the file has it; ticket and secret name variables.
type userFile struct {
	Role       string `yaml:"role"`
	Ticket     string `yaml:"ticket"`
	Secret     string `yaml:"secret"`
	Salt       string `yaml:"salt"`
	Iterations int    `yaml:"iterations"`
	KeyLen     int    `yaml:"keylen"`
}

var variable = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)

// readRealms reads the realms of a file, or, without its name, of text; what is secret is in variables.
func readRealms(file string, text []byte, getenv func(string) string) (realms, error) {
	if file != "" {
		var err error
		if text, err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	made, err := parseRealms(text, getenv)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmp.Or(file, "realms.yaml"), err)
	}
	return made, nil
}

func parseRealms(text []byte, getenv func(string) string) (realms, error) {
	var all map[string]realmFile
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&all); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !errors.Is(decoder.Decode(new(any)), io.EOF) {
		return nil, errors.New("expected one document")
	}
	if len(all) == 0 {
		return nil, errors.New("expected realms")
	}
	made := realms{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !isURI(name, exact) {
			return nil, fmt.Errorf("%s: not a URI", name)
		}
		of, err := all[name].settings(getenv)
		if err != nil {
			return nil, fmt.Errorf("%s.%w", name, err)
		}
		made[name] = of
	}
	return made, nil
}

func (f realmFile) settings(getenv func(string) string) (settings, error) {
	if f.Roles == nil {
		return settings{}, errors.New("roles: expected some")
	}
	made := settings{roles: map[string]*role{}, users: map[string]user{}, anonymous: f.Anonymous}
	for name, rules := range f.Roles {
		for i := range rules {
			if err := rules[i].complete(); err != nil {
				return made, fmt.Errorf("roles.%s.%d.%w", name, i, err)
			}
		}
		made.roles[name] = &role{rules: rules}
	}
	named := map[string]string{"anonymous": f.Anonymous}
	// #if auth
	made.tokens = f.Tokens
	named["tokens"] = f.Tokens
	// #endif
	for name, role := range named {
		if role != "" && made.roles[role] == nil {
			return made, fmt.Errorf("%s: there is no role %s", name, role)
		}
	}
	for name, of := range f.Users {
		one, err := of.user(getenv)
		if err == nil && made.roles[one.role] == nil {
			err = fmt.Errorf("role: there is no role %s", one.role)
		}
		if err != nil {
			return made, fmt.Errorf("users.%s.%w", name, err)
		}
		made.users[name] = one
	}
	return made, nil
}

// complete checks a rule, and fills in its default.
func (r *rule) complete() error {
	r.Match = cmp.Or(r.Match, exact)
	isKnown := func(action string) bool { return slices.Contains(actions, action) }
	switch {
	case !slices.Contains([]string{exact, prefix, wildcard}, r.Match):
		return errors.New("match: expected exact, prefix or wildcard")
	case !isURI(r.URI, r.Match) && (r.URI != "" || r.Match != prefix):
		return errors.New("uri: not a URI")
	case len(r.Allow) == 0 || slices.ContainsFunc(r.Allow, func(action string) bool { return !isKnown(action) }):
		return fmt.Errorf("allow: expected some of %v", actions)
	}
	return nil
}

func (f userFile) user(getenv func(string) string) (user, error) {
	made := user{role: f.Role}
	if f.Salt != "" {
		made.salt = &salt{f.Salt, cmp.Or(f.Iterations, 100_000), cmp.Or(f.KeyLen, 32)}
		if made.salt.Iterations < 1 || made.salt.KeyLen < 16 || made.salt.KeyLen > 64 {
			return made, errors.New("salt: expected iterations from 1, and keylen from 16 to 64")
		}
	}
	if (f.Ticket == "") == (f.Secret == "") {
		return made, errors.New("ticket: expected either ticket or secret")
	}
	name := cmp.Or(f.Ticket, f.Secret)
	if !variable.MatchString(name) {
		return made, fmt.Errorf("ticket or secret: %q is not the name of a variable", name)
	}
	value := getenv(name)
	if value == "" {
		return made, fmt.Errorf("ticket or secret: %s is not set", name)
	}
	if f.Ticket != "" {
		made.ticket = value
	} else {
		made.secret = value
	}
	return made, nil
}
