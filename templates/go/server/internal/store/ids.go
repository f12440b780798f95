package store

import (
	"container/list"
	"time"
)

// maxIDs are known of one channel; its users share them.
const maxIDs = 10_000

// ids are those of the publications of a channel, by user.
type ids struct {
	count  int
	byUser map[string]*list.Element
	// users are *userIDs, longest without a new one first.
	users list.List
}

// userIDs are those of one user, oldest first.
type userIDs struct {
	user    string
	order   []knownID
	offsets map[string]int64
}

type knownID struct {
	id string
	at time.Time
}

// known is the offset of the publication with this id, if it is not from before oldest.
func (i *ids) known(m *Memory, c *channel, origin Origin, oldest time.Time) (offset int64, ok bool) {
	if origin.ID == "" {
		return 0, false
	}
	for e := i.users.Front(); e != nil && i.dropBefore(m, c, e, oldest); e = i.users.Front() {
	}
	e, ok := i.byUser[origin.User]
	if !ok || i.dropBefore(m, c, e, oldest) {
		return 0, false
	}
	offset, ok = e.Value.(*userIDs).offsets[origin.ID]
	return offset, ok
}

// remember keeps an id that is not known.
func (i *ids) remember(m *Memory, c *channel, origin Origin, offset int64) {
	if origin.ID == "" {
		return
	}
	if i.count >= maxIDs {
		i.drop(m, c, i.whoHasMost(origin.User))
	}
	e, ok := i.byUser[origin.User]
	if !ok {
		if i.byUser == nil {
			i.byUser = map[string]*list.Element{}
		}
		e = i.users.PushBack(&userIDs{user: origin.User, offsets: map[string]int64{}})
		i.byUser[origin.User] = e
	}
	i.users.MoveToBack(e)
	own := e.Value.(*userIDs)
	own.order = append(own.order, knownID{origin.ID, time.Now()})
	own.offsets[origin.ID] = offset
	i.count++
	m.count(c, overhead+len(origin.User)+len(origin.ID))
}

// dropBefore drops the ids of a user from before oldest; whether those were all.
func (i *ids) dropBefore(m *Memory, c *channel, e *list.Element, oldest time.Time) bool {
	own := e.Value.(*userIDs)
	for len(own.order) > 0 {
		if !own.order[0].at.Before(oldest) {
			return false
		}
		i.drop(m, c, e)
	}
	return true
}

// drop drops the oldest id of a user.
func (i *ids) drop(m *Memory, c *channel, e *list.Element) {
	own := e.Value.(*userIDs)
	id := own.order[0].id
	own.order[0] = knownID{}
	own.order = own.order[1:]
	delete(own.offsets, id)
	if len(own.order) == 0 {
		i.users.Remove(e)
		delete(i.byUser, own.user)
	}
	i.count--
	m.count(c, -overhead-len(own.user)-len(id))
}

func (i *ids) dropOldest(m *Memory, c *channel) { i.drop(m, c, i.users.Front()) }

// whoHasMost is whose id gives way to one of user: nobody loses one who has no more than his share.
func (i *ids) whoHasMost(user string) *list.Element {
	found, most := i.byUser[user], 0
	if found != nil {
		most = len(found.Value.(*userIDs).order)
	}
	if found != nil && most*i.users.Len() >= maxIDs {
		return found
	}
	for e := i.users.Front(); e != nil; e = e.Next() {
		if has := len(e.Value.(*userIDs).order); has > most {
			found, most = e, has
		}
	}
	return found
}
