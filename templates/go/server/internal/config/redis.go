package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	// #if presence
	"strconv"
	"time"
	// #endif
)

var (
	redisPrefix   = regexp.MustCompile(`^[\w.:-]{1,214}$`)
	redisDatabase = regexp.MustCompile(`^(?:/\d{0,5})?$`)
)

// redis reads which Redis servers share.
func (e *reader) redis(c *Config) {
	// It may hold a password, which is not shown.
	if c.Redis.URL = e.getenv("REDIS_URL"); c.Redis.URL != "" && !isRedisURL(c.Redis.URL) {
		e.faults = append(e.faults, fmt.Errorf(
			"REDIS_URL is wrong, expected redis://[user:password@]host[:port][/number], or rediss://"))
	}
	if c.Redis.Prefix = e.getenv("REDIS_PREFIX"); c.Redis.Prefix == "" {
		c.Redis.Prefix = "ws-app"
	}
	if !redisPrefix.MatchString(c.Redis.Prefix) {
		e.wrong("REDIS_PREFIX", c.Redis.Prefix, `letters, digits, ".", "_", "-", ":"`)
	}
	c.Redis.Timeout = e.milliseconds("REDIS_TIMEOUT", 2000, 50, 60_000)
	c.PositionCheck = e.milliseconds("POSITION_CHECK", 10_000, 50, 600_000)
	// #if presence
	c.PresenceTTL = e.milliseconds("PRESENCE_TTL", 30_000, 50, 600_000)
	most := c.PresenceTTL / 2
	switch {
	case c.PositionCheck <= most:
	case e.getenv("POSITION_CHECK") == "":
		c.PositionCheck = most
	default:
		e.wrong("POSITION_CHECK", strconv.Itoa(int(c.PositionCheck/time.Millisecond)), fmt.Sprintf(
			"at most %d, as PRESENCE_TTL is %d: with each check a server says who is there",
			most.Milliseconds(), c.PresenceTTL.Milliseconds()))
	}
	// #endif
}

func isRedisURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || !slices.Contains([]string{"redis", "rediss"}, u.Scheme) || u.Hostname() == "" {
		return false
	}
	return redisDatabase.MatchString(u.Path) && u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}
