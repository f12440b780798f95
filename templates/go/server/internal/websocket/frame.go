// Package websocket is RFC 6455 and permessage-deflate (RFC 7692) for servers.
//
// A Conn has one goroutine, which reads and passes messages on. What is sent goes to the network at once
// if it takes it; else it waits, up to a limit in bytes. Whatever a peer can make grow is bounded.
package websocket

import (
	"encoding/binary"
	"fmt"
)

// MessageType says what the data of a message is.
type MessageType byte

// The types of messages (RFC 6455 section 5.6).
const (
	Text   MessageType = 1
	Binary MessageType = 2
)

// Message is what a frame or its fragments carry.
type Message struct {
	Type MessageType
	Data []byte
}

// Close codes (RFC 6455 section 7.4.1).
const (
	CloseNormal       = 1000
	CloseGoingAway    = 1001
	CloseProtocol     = 1002
	CloseNoStatus     = 1005
	CloseAbnormal     = 1006
	CloseNotUTF8      = 1007
	ClosePolicy       = 1008
	CloseTooLarge     = 1009
	CloseInternal     = 1011
	CloseTryAgain     = 1013
	closeReasonOctets = 123
)

// CloseError is why a connection is closed: by us, with this code, or by the peer.
type CloseError struct {
	Code     int
	Reason   string
	FromPeer bool
}

func (e *CloseError) Error() string {
	return fmt.Sprintf("close %d: %s", e.Code, e.Reason)
}

func violation(reason string) error {
	return &CloseError{Code: CloseProtocol, Reason: reason}
}

// opcode is the type of a frame (RFC 6455 section 5.2).
type opcode byte

const (
	opContinuation opcode = 0
	opText         opcode = 1
	opBinary       opcode = 2
	opClose        opcode = 8
	opPing         opcode = 9
	opPong         opcode = 10
)

const (
	finBit        = 0x80
	compressedBit = 0x40
	maxHeadOctets = 14
)

func (o opcode) isControl() bool { return o >= opClose }

// frameHead is a frame without its payload.
type frameHead struct {
	opcode     opcode
	fin        bool
	compressed bool
	reserved   bool
	masked     bool
	// short is the length as the second octet has it.
	short  byte
	length uint64
	mask   [4]byte
	// size is the number of octets of the head.
	size int
}

// parseHead reads the head at the start of p; false if p ends before it does. Of an incomplete head, what
// the first two octets say is there.
func parseHead(p []byte) (h frameHead, ok bool) {
	if len(p) < 2 {
		return h, false
	}
	h = frameHead{
		opcode:     opcode(p[0] & 0x0f),
		fin:        p[0]&finBit != 0,
		compressed: p[0]&compressedBit != 0,
		reserved:   p[0]&0x30 != 0,
		masked:     p[1]&0x80 != 0,
		short:      p[1] & 0x7f,
		size:       2,
	}
	switch h.short {
	case 126:
		h.size = 4
	case 127:
		h.size = 10
	}
	at := h.size
	if h.masked {
		h.size += 4
	}
	if len(p) < h.size {
		return h, false
	}
	switch h.short {
	case 126:
		h.length = uint64(binary.BigEndian.Uint16(p[2:]))
	case 127:
		h.length = binary.BigEndian.Uint64(p[2:])
	default:
		h.length = uint64(h.short)
	}
	if h.masked {
		copy(h.mask[:], p[at:])
	}
	return h, true
}

// check says what is wrong with a frame from a client; the length only if the head is complete.
func (h *frameHead) check(complete, deflate bool) error {
	switch {
	case h.reserved || h.compressed && (!deflate || h.opcode.isControl() || h.opcode == opContinuation):
		return violation("reserved bit")
	case h.opcode > opBinary && h.opcode < opClose || h.opcode > opPong:
		return violation("unknown opcode")
	case h.opcode.isControl() && !h.fin:
		return violation("fragmented control frame")
	case h.opcode.isControl() && h.short > 125:
		return violation("control frame above 125 octets")
	case !h.masked:
		return violation("unmasked frame")
	case complete && (h.short == 126 && h.length < 126 || h.short == 127 && h.length < 1<<16):
		return violation("length not in its shortest form")
	case complete && h.length >= 1<<63:
		return violation("length above 63 bits")
	}
	return nil
}

// appendHead appends the head of an unmasked, whole frame.
func appendHead(to []byte, op opcode, compressed bool, length int) []byte {
	first := byte(op) | finBit
	if compressed {
		first |= compressedBit
	}
	switch {
	case length < 126:
		return append(to, first, byte(length))
	case length < 1<<16:
		return binary.BigEndian.AppendUint16(append(to, first, 126), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(to, first, 127), uint64(length))
	}
}

// unmask applies the masking key (RFC 6455 section 5.3) to p, which starts at position at of its payload.
func unmask(p []byte, key [4]byte, at uint64) {
	var turned [8]byte
	for i := range turned {
		turned[i] = key[(at+uint64(i))&3]
	}
	word := binary.LittleEndian.Uint64(turned[:])
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^word)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= turned[i]
	}
}

// isCloseCode is whether a peer may send the code (RFC 6455 section 7.4).
func isCloseCode(code int) bool {
	return code >= 1000 && code <= 1014 && code != 1004 && code != CloseNoStatus && code != CloseAbnormal ||
		code >= 3000 && code <= 4999
}
