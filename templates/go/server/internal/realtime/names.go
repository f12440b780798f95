package realtime

import "regexp"

var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// IsName is whether text can name a user, or what clients share.
func IsName(text string) bool { return name.MatchString(text) }
