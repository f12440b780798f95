// Package public has the page of the demo, as part of the program.
package public

import "embed"

// Files are those of this folder.
//
//go:embed *
var Files embed.FS
