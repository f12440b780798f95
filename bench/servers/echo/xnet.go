// An echo server with a Codec of golang.org/x/net/websocket, as its io.Copy loses the type of messages.
package main

import (
	"log"
	"net/http"
	"os"

	"golang.org/x/net/websocket"
)

type message struct {
	data     []byte
	isBinary bool
}

var codec = websocket.Codec{
	Marshal: func(v any) ([]byte, byte, error) {
		m := v.(message)
		if m.isBinary {
			return m.data, websocket.BinaryFrame, nil
		}
		return m.data, websocket.TextFrame, nil
	},
	Unmarshal: func(data []byte, payloadType byte, v any) error {
		*v.(*message) = message{data, payloadType == websocket.BinaryFrame}
		return nil
	},
}

func echo(ws *websocket.Conn) {
	for {
		var m message
		if codec.Receive(ws, &m) != nil || codec.Send(ws, m) != nil {
			return
		}
	}
}

func main() {
	// Server instead of Handler, which refuses whoever sends no Origin: all that are no browser.
	http.Handle("/", websocket.Server{Handler: echo})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
