package rollout

import (
	"fmt"
	"strings"
)

// Action is one change to the world. The set is closed: Launch, Register, Deregister, Tag, Terminate.
type Action interface {
	// Reason is why, in words: the same go to the event, the plan and the log.
	Reason() string
	action()
}

// listedAtMost is how many servers a sentence names.
const listedAtMost = 5

// listed is "1 server (i-1)", "2 servers (i-1, i-2)", "9 servers (i-1, i-2, i-3, i-4, i-5 and 4 more)".
func listed(servers []string) string {
	if len(servers) == 1 {
		return "1 server (" + servers[0] + ")"
	}
	more := ""
	if len(servers) > listedAtMost {
		more = fmt.Sprintf(" and %d more", len(servers)-listedAtMost)
	}
	return fmt.Sprintf("%d servers (%s%s)", len(servers), strings.Join(servers[:min(len(servers), listedAtMost)], ", "), more)
}

// Launch asks EC2 for servers. Its Attempt is in Memory before it is carried out.
type Launch struct {
	Revision string
	Attempt  Attempt
	Why      string
}

// Register puts servers into a pool.
type Register struct {
	Pool    Pool
	Servers []string
	Why     string
}

// Deregister takes servers out of a pool.
type Deregister struct {
	Pool    Pool
	Servers []string
	Why     string
}

// Tag sets the role of servers; with Adopt it also makes them ours.
type Tag struct {
	Servers  []string
	Revision string
	Role     Role
	Adopt    bool
	Why      string
}

// Terminate ends servers.
type Terminate struct {
	Servers []string
	Why     string
}

func (Launch) action()     {}
func (Register) action()   {}
func (Deregister) action() {}
func (Tag) action()        {}
func (Terminate) action()  {}

// Reason implements Action.
func (a Launch) Reason() string { return a.Why }

// Reason implements Action.
func (a Register) Reason() string { return a.Why }

// Reason implements Action.
func (a Deregister) Reason() string { return a.Why }

// Reason implements Action.
func (a Tag) Reason() string { return a.Why }

// Reason implements Action.
func (a Terminate) Reason() string { return a.Why }
