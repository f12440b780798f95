package wsclient

import "testing"

func TestMatches(t *testing.T) {
	for _, one := range []struct {
		pattern, topic string
		matches        bool
	}{
		{"news", "news", true},
		{"news", "news.de", false},
		{"news.*", "news.de", true},
		{"news.*", "news.de.berlin", false},
		{"news.*.berlin", "news.de.berlin", true},
		{"news.#", "news", true},
		{"news.#", "news.de.berlin", true},
		{"news.de.#", "news", false},
		{"news.de.#", "news.fr", false},
	} {
		if Matches(one.pattern, one.topic) != one.matches {
			t.Errorf("%s and %s: not %v", one.pattern, one.topic, one.matches)
		}
	}
}

func TestWhatOthersGetMovesThePosition(t *testing.T) {
	s := serve(t, nil)
	client, err := NewPubsub(s.options())
	if err != nil {
		t.Fatal(err)
	}
	news := client.Subscribe("news.*")
	run(t, client.Client)
	p := s.accept()
	p.welcome("history", "resume")
	subscribed := object{
		"type": "subscribed", "id": p.next("subscribe")["id"], "topic": "news.*", "messages": []object{},
		"position": position(3), "recovered": false,
	}
	p.send(subscribed,
		object{"type": "event", "topic": "news.de", "data": 1, "offset": 5},
		object{"type": "event", "topic": "news.de.berlin", "data": 2, "offset": 6},
	)
	expectEvents(t, news.Stream, Joined{}, Published{Topic: "news.de", Data: []byte("1"), Offset: 5})
	p.cut()
	p = s.accept()
	p.welcome("history", "resume")
	expectSince(t, p.next("subscribe"), 6)
}
