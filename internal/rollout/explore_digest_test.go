package rollout

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Two states are one where they differ in nothing but the names of servers, the distance of numbers of which only the order
// counts, the ages of clocks past what they are compared with, and words.

var hashSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

type digest [2]uint64

// digest is equal for states that differ in nothing but names and in what cannot matter any more.
func (s *micro) digest(buffer *[]byte) digest {
	text := s.encode((*buffer)[:0])
	*buffer = text
	return digest{maphash.Bytes(hashSeeds[0], text), maphash.Bytes(hashSeeds[1], text)}
}

// encode writes a state down. Servers are named by order: of their launches, and within one launch of what they are.
func (s *micro) encode(b []byte) []byte {
	order := s.order()
	names := make(map[string]byte, len(order))
	for n, i := range order {
		names[serverName(s.servers[i].id)] = byte(n)
	}
	for _, rel := range s.releases {
		for _, r := range rel.memory.Revisions {
			for _, a := range r.Launches { // numbers and tokens by order: the next one is new in any case
				names[a.Token] = byte(len(names))
			}
		}
	}
	b = append(b, byte(s.edits), byte(s.faults), bits(s.dark[:]...), bits(s.lost[:]...), bits(s.darkEC2, s.full))
	for _, i := range order {
		b = append(s.servers[i].encode(b), name(names, s.servers[i].token))
	}
	for i := range s.releases {
		b = s.releases[i].encode(append(b, 0xfe), names)
	}
	return b
}

func (s *micro) order() []int {
	order := make([]int, len(s.servers))
	var texts [][]byte
	for i := range s.servers {
		order[i] = i
		texts = append(texts, s.servers[i].encode(nil))
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if s.servers[a].token != s.servers[b].token {
			return a - b
		}
		return slices.Compare(texts[a], texts[b])
	})
	return order
}

func (m *microServer) encode(b []byte) []byte {
	b = append(b, byte(m.owner), lastLetter(m.version), lastLetter(m.subnet), letter(string(m.state)), letter(string(m.role)),
		bits(m.hidden, m.sick, m.hold, m.young, m.left))
	for _, seat := range m.seats {
		b = append(b, byte(seat))
	}
	return b
}

func (rel *microRelease) encode(b []byte, names map[string]byte) []byte {
	b = append(b, letter(string(rel.phase)), lastLetter(rel.phaseFor), lastLetter(rel.version), byte(rel.replicas), lastLetter(rel.retry),
		bits(rel.paused, rel.deleting, rel.gone, rel.adopt), letter(string(rel.override.Phase)), lastLetter(rel.override.Revision), byte(rel.soft.GoodPasses))
	b = encodeAge(b, rel.override.ExpiresAt)
	for p := range rel.layout {
		b = append(b, letter(string(rel.layout[p])), byte(rel.claims[p]))
	}
	for _, server := range rel.known {
		b = append(b, name(names, server.ID), letter(string(server.State)), letter(string(server.Role)))
	}
	b = append(b, 0xfd)
	for i := range rel.memory.Revisions {
		b = rel.memory.Revisions[i].encode(b, names, rel.memory)
	}
	return rel.soft.encode(append(b, 0xfd), names)
}

// encode writes a revision down; numbers count by order only.
func (r *Revision) encode(b []byte, names map[string]byte, all Memory) []byte {
	numbers, seqs := byte(0), byte(0)
	for _, other := range all.Revisions {
		if other.Number < r.Number {
			numbers++
		}
		if other.StableSeq < r.StableSeq {
			seqs++
		}
	}
	b = append(b, lastLetter(r.Name), numbers, seqs, bits(r.Number > 0, r.StableSeq > 0, r.Completed, r.Retired, r.Lost, !r.GateAt.IsZero(), !r.LiveAt.IsZero()),
		letter(r.Verdict.Reason), lastLetter(r.Retry), byte(r.Ready.Spent/time.Minute))
	for _, at := range []time.Time{r.Ready.Since, r.Stopped, r.Promotion.StartedAt} {
		b = encodeAge(b, at)
	}
	b = encodeNames(b, names, r.Promotion.Cohort)
	for _, e := range r.Left {
		b = encodeNames(b, names, e.Servers)
		for _, p := range e.Pools {
			b = append(b, lastLetter(p))
		}
	}
	b = append(b, 0xfc)
	for _, pools := range [][]string{r.Promotion.Pools, r.Pools} {
		for _, p := range pools {
			b = append(b, p[0])
		}
		b = append(b, 0xff)
	}
	for i := range r.Launches {
		a := &r.Launches[i]
		b = append(b, name(names, a.Token), bits(a.Open, a.Pardoned, a.Token == ""), letter(string(a.Failure.Kind)), lastLetter(a.Subnet), letter(string(a.Role)))
		for _, place := range a.Places {
			b = append(b, byte(place))
		}
		b = encodeNames(encodeNames(encodeAge(b, a.At), names, a.Servers), names, a.Ended)
	}
	return append(b, 0xfc)
}

func encodeNames(b []byte, names map[string]byte, servers []string) []byte {
	for _, server := range servers {
		b = append(b, name(names, server))
	}
	return append(b, 0xff)
}

// wordy clocks decide what is said, and when to look again, and nothing else: states that differ in them are one.
var wordy = map[string]bool{"launch": true, "preview": true, "shown": true, "held": true, "enter": true, "exit": true}

// encode writes down what a process remembers, in the order of the clocks' canonical names.
func (s Soft) encode(b []byte, names map[string]byte) []byte {
	lines := make([]string, 0, len(s.Since))
	for key, at := range s.Since {
		kind, subject, _ := strings.Cut(key, "/")
		if wordy[kind] {
			continue
		}
		if n, known := names[subject]; known {
			subject = string(rune('A' + n))
		}
		lines = append(lines, kind+"/"+subject+"="+strconv.Itoa(int(epoch.Sub(at)/time.Second)))
	}
	slices.Sort(lines)
	for _, line := range lines {
		b = append(append(b, line...), ';')
	}
	return b
}

func encodeAge(b []byte, at time.Time) []byte {
	if at.IsZero() {
		return append(b, 0xff, 0xff)
	}
	return binary.BigEndian.AppendUint16(b, uint16(epoch.Sub(at)/time.Second)) //nolint:gosec // an age may be below zero; it is only compared
}

// name is the canonical name of a server; one that EC2 has forgotten has none, and one that was let go another none.
func name(names map[string]byte, server string) byte {
	if server == "" {
		return 0xf0
	}
	if n, known := names[server]; known {
		return n
	}
	return 0xf1
}

func bits(is ...bool) byte {
	b := byte(0)
	for i, set := range is {
		if set {
			b |= 1 << i
		}
	}
	return b
}

func letter(text string) byte {
	if text == "" {
		return 0
	}
	return text[0]
}

func lastLetter(text string) byte {
	if text == "" {
		return 0
	}
	return text[len(text)-1]
}
