package redislink

import (
	"embed"
	"regexp"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var files embed.FS

// Script is what is done in Redis in one step.
type Script struct{ made *redis.Script }

var include = regexp.MustCompile(`(?m)^-- include (.*)\n`)

var probe = NewScript("probe")

// NewScript is the script in lua/<name>.lua, with what it includes.
func NewScript(name string) *Script {
	text := include.ReplaceAllStringFunc(read(name+".lua"), func(line string) string {
		return read(include.FindStringSubmatch(line)[1])
	})
	return &Script{redis.NewScript(text)}
}

// read panics for a file that this program does not have.
func read(name string) string {
	text, err := files.ReadFile("lua/" + name)
	if err != nil {
		panic(err)
	}
	return string(text)
}
