package graphqlws

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// document is what a client sends, as far as it has to be measured; the library says whether it is valid.
type document struct {
	operations []*operation
	fragments  map[string]*selection
}

type operation struct {
	kind, name string
	// defaults are those of its variables.
	defaults   map[string]any
	selections []*selection
}

// selection is a field, a spread, or what has selections of a type.
type selection struct {
	field     string
	arguments map[string]any
	spread    string
	// on is the type of a fragment; empty: that of its parent.
	on         string
	selections []*selection
}

// variable is a value that comes with the document.
type variable string

// errSyntax is for what the library finds no fault with.
var errSyntax = errors.New("syntax error")

// lexer takes a document apart.
type lexer struct {
	text string
	// token is the next one, empty at the end.
	token string
	count int
	most  int
}

// syntax is panicked with, and caught by parse.
type syntax struct{ error }

func (l *lexer) next() {
	rest := strings.TrimLeft(l.text, " \t\r\n,\ufeff")
	for strings.HasPrefix(rest, "#") {
		end := strings.IndexAny(rest, "\r\n")
		if end < 0 {
			end = len(rest)
		}
		rest = strings.TrimLeft(rest[end:], " \t\r\n,\ufeff")
	}
	if rest == "" {
		l.text, l.token = "", ""
		return
	}
	if l.count++; l.count > l.most {
		panic(syntax{fmt.Errorf("syntax error: expected at most %d tokens", l.most)})
	}
	size := sizeOf(rest)
	l.token, l.text = rest[:size], rest[size:]
}

func sizeOf(text string) int {
	switch {
	case strings.HasPrefix(text, "..."):
		return 3
	case strings.HasPrefix(text, `"""`):
		for at := 3; at < len(text); at++ {
			if strings.HasPrefix(text[at:], `\"""`) {
				// Here the library reads the end of the string, and what follows as a part of the document.
				panic(syntax{errSyntax})
			}
			if strings.HasPrefix(text[at:], `"""`) {
				return at + 3
			}
		}
		panic(syntax{errSyntax})
	case text[0] == '"':
		for at := 1; at < len(text); at++ {
			switch text[at] {
			case '\\':
				at++
			case '"':
				return at + 1
			}
		}
		panic(syntax{errSyntax})
	case isNameByte(text[0]) || text[0] == '-':
		// A name or a number.
		at := 1
		for at < len(text) && (isNameByte(text[at]) || strings.IndexByte("+-.", text[at]) >= 0 && isNumberByte(text[0])) {
			at++
		}
		return at
	}
	return 1
}

func isNumberByte(b byte) bool { return b == '-' || b >= '0' && b <= '9' }

func isNameByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// parse reads a document of most tokens.
func parse(text string, most int) (read *document, err error) {
	defer func() {
		if failed := recover(); failed != nil {
			wrong, ok := failed.(syntax)
			if !ok {
				panic(failed)
			}
			read, err = nil, wrong.error
		}
	}()
	l := &lexer{text: text, most: most}
	l.next()
	read = &document{fragments: map[string]*selection{}}
	for l.token != "" {
		l.skipDescription()
		switch kind := l.take(); kind {
		case "{":
			read.operations = append(read.operations, &operation{kind: "query", selections: l.selections()})
		case "query", "mutation", "subscription":
			read.operations = append(read.operations, l.operation(kind))
		case "fragment":
			name := l.name()
			l.expect("on")
			on := l.name()
			l.directives()
			l.expect("{")
			read.fragments[name] = &selection{on: on, selections: l.selections()}
		default:
			panic(syntax{errSyntax})
		}
	}
	return read, nil
}

func (l *lexer) skipDescription() {
	if strings.HasPrefix(l.token, `"`) {
		l.next()
	}
}

func (l *lexer) take() string {
	token := l.token
	if token == "" {
		panic(syntax{errSyntax})
	}
	l.next()
	return token
}

func (l *lexer) accept(token string) bool {
	if l.token != token {
		return false
	}
	l.next()
	return true
}

func (l *lexer) expect(token string) {
	if !l.accept(token) {
		panic(syntax{errSyntax})
	}
}

func (l *lexer) name() string {
	if l.token == "" || !isNameByte(l.token[0]) {
		panic(syntax{errSyntax})
	}
	return l.take()
}

func (l *lexer) operation(kind string) *operation {
	read := &operation{kind: kind, defaults: map[string]any{}}
	if l.token != "{" && l.token != "(" && l.token != "@" {
		read.name = l.name()
	}
	if l.accept("(") {
		for !l.accept(")") {
			l.skipDescription()
			l.expect("$")
			name := l.name()
			l.expect(":")
			l.kind()
			if l.accept("=") {
				read.defaults[name] = l.value()
			}
			l.directives()
		}
	}
	l.directives()
	l.expect("{")
	read.selections = l.selections()
	return read
}

// kind skips a type.
func (l *lexer) kind() {
	if l.accept("[") {
		l.kind()
		l.expect("]")
	} else {
		l.name()
	}
	l.accept("!")
}

// selections reads up to the closing brace.
func (l *lexer) selections() []*selection {
	var read []*selection
	for !l.accept("}") {
		read = append(read, l.selection())
	}
	return read
}

func (l *lexer) selection() *selection {
	read := &selection{}
	if l.accept("...") {
		if l.token != "on" && l.token != "{" && l.token != "@" {
			read.spread = l.name()
			l.directives()
			return read
		}
		if l.accept("on") {
			read.on = l.name()
		}
		l.directives()
		l.expect("{")
		read.selections = l.selections()
		return read
	}
	if read.field = l.name(); l.accept(":") {
		read.field = l.name()
	}
	read.arguments = l.arguments()
	l.directives()
	if l.accept("{") {
		read.selections = l.selections()
	}
	return read
}

func (l *lexer) arguments() map[string]any {
	if !l.accept("(") {
		return nil
	}
	read := map[string]any{}
	for !l.accept(")") {
		name := l.name()
		l.expect(":")
		read[name] = l.value()
	}
	return read
}

func (l *lexer) directives() {
	for l.accept("@") {
		l.name()
		l.arguments()
	}
}

// value reads one as JSON has it.
func (l *lexer) value() any {
	switch token := l.take(); {
	case token == "$":
		return variable(l.name())
	case token == "[":
		list := []any{}
		for !l.accept("]") {
			list = append(list, l.value())
		}
		return list
	case token == "{":
		object := map[string]any{}
		for !l.accept("}") {
			name := l.name()
			l.expect(":")
			object[name] = l.value()
		}
		return object
	case token == "true", token == "false":
		return token == "true"
	case token == "null":
		return nil
	case strings.HasPrefix(token, `"""`):
		return token[3 : len(token)-3]
	case token[0] == '"':
		text := ""
		if json.Unmarshal([]byte(token), &text) != nil {
			return token[1 : len(token)-1]
		}
		return text
	case isNumberByte(token[0]):
		number, err := strconv.ParseFloat(token, 64)
		if err != nil {
			panic(syntax{errSyntax})
		}
		return number
	case isNameByte(token[0]):
		return token
	}
	panic(syntax{errSyntax})
}
