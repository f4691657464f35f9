package demo

import (
	"fmt"
	"io"
	"sync"
	"time"

	"slipway.dev/slipway/internal/playground"
)

// Who speaks in the timeline, beside playground.ByManager and playground.ByAWS.
const (
	byYou     = "you"     // what a person asks for
	bySlipway = "slipway" // what the Release's status says
	byTraffic = "traffic" // who answered the requests
	byDemo    = "demo"    // what this program checks
)

// narrator writes the timeline: when, who, what.
type narrator struct {
	began time.Time

	mu  sync.Mutex
	out io.Writer
}

// say writes what somebody says now.
func (n *narrator) say(who, format string, args ...any) {
	n.write(playground.Line{At: time.Now(), Who: who, Text: fmt.Sprintf(format, args...)})
}

func (n *narrator) write(l playground.Line) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fmt.Fprintf(n.out, "%6.1fs  %-8s %s\n", l.At.Sub(n.began).Seconds(), l.Who, l.Text)
}

// headline sets a step apart.
func (n *narrator) headline(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fmt.Fprintf(n.out, "\n── %s\n", text)
}
