package wsclient

import "testing"

// watching is a document that came with {"n":1} at offset 1.
func watching(t *testing.T) (*Document, *peer) {
	t.Helper()
	s := serve(t, nil)
	client, err := NewLiveUpdates(s.options())
	if err != nil {
		t.Fatal(err)
	}
	document := client.Watch("score")
	run(t, client.Client)
	p := s.accept()
	p.welcome("resume")
	p.send(object{
		"type": "watching", "id": p.next("watch")["id"], "document": "score", "recovered": false,
		"position": position(1), "data": object{"n": 1},
	})
	expectEvents(t, document.Stream, Change{Data: object{"n": 1.0}, Offset: 1}, Joined{})
	return document, p
}

func TestDecode(t *testing.T) {
	document, _ := watching(t)
	data, isThere := document.Data()
	var score struct{ N int }
	if err := (Change{Data: data}).Decode(&score); err != nil || !isThere || score.N != 1 {
		t.Fatal(score, err)
	}
}

func TestAPatchThatDoesNotApply(t *testing.T) {
	for _, patch := range []any{
		[]object{{"op": "remove", "path": "/nobody"}}, []object{{"op": "hologram", "path": ""}}, "text", nil,
	} {
		document, p := watching(t)
		p.send(object{"type": "patch", "document": "score", "offset": 2, "patch": patch})
		command := p.next("watch")
		if command["since"] != nil {
			t.Fatal(command)
		}
		p.send(object{
			"type": "watching", "id": command["id"], "document": "score", "recovered": false,
			"position": position(2), "data": object{"n": 2},
		})
		expectEvents(t, document.Stream, Recovered{false}, Change{Data: object{"n": 2.0}, Offset: 2}, Joined{})
	}
}

func TestSnapshots(t *testing.T) {
	document, p := watching(t)
	p.send(
		object{"type": "snapshot", "document": "score", "position": position(9), "data": object{"n": 9}},
		object{"type": "snapshot", "document": "score", "position": position(8), "data": object{"n": 8}},
		object{"type": "snapshot", "document": "score", "position": object{"offset": 1, "epoch": "e2"}, "data": object{}},
	)
	expectEvents(t, document.Stream, Change{Data: object{"n": 9.0}, Offset: 9},
		Recovered{false}, Change{Data: object{}, Offset: 1}, Joined{})
}

func TestRemoval(t *testing.T) {
	document, p := watching(t)
	p.send(object{"type": "removed", "document": "score"})
	expectEvents(t, document.Stream, Removed{})
	if _, isThere := document.Data(); isThere {
		t.Fatal("it is still there")
	}
}

func TestPatchesWithAGap(t *testing.T) {
	document, p := watching(t)
	p.send(object{"type": "patch", "document": "score", "offset": 3, "patch": replacing(3)})
	command := p.next("watch")
	expectSince(t, command, 1)
	p.send(object{
		"type": "watching", "id": command["id"], "document": "score", "recovered": true, "position": position(3),
		"patches": []object{{"offset": 3, "patch": replacing(3)}},
	})
	if command = p.next("watch"); command["since"] != nil {
		t.Fatal(command)
	}
	p.send(object{
		"type": "watching", "id": command["id"], "document": "score", "recovered": false,
		"position": position(3), "data": object{"n": 3},
	})
	expectEvents(t, document.Stream, Recovered{false}, Joined{},
		Recovered{false}, Change{Data: object{"n": 3.0}, Offset: 3}, Joined{})
}
