package playground

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/localaws"
)

// Line is one thing that happened, in words.
type Line struct {
	At time.Time
	// Who is ByManager, for what the manager changed or was refused to change, or ByAWS, for what AWS found.
	Who, Text string
}

// Who a Line is of.
const (
	ByManager = "manager"
	ByAWS     = "aws"
)

// Follow tells what happens from now on, until the context ends. What the manager only reads is left out.
func (w *World) Follow(ctx context.Context, say func(Line)) {
	w.follow(ctx, say, func(uint64) {})
}

// FollowAndForget is Follow for a world that goes on for as long as somebody likes: the ledger drops what was told.
func (w *World) FollowAndForget(ctx context.Context, say func(Line)) {
	w.follow(ctx, say, func(told uint64) {
		if told%forgetEvery == 0 {
			w.AWS.TrimLedger(told)
		}
	})
}

// forgetEvery is how many entries are dropped at a time.
const forgetEvery = 256

func (w *World) follow(ctx context.Context, say func(Line), told func(seq uint64)) {
	_ = w.AWS.Follow(ctx, w.AWS.LastSeq(), func(e localaws.Entry) { // ends with the context's error
		if who, text := w.tell(e); text != "" {
			say(Line{At: e.Time, Who: who, Text: text})
		}
		told(e.Seq)
	})
}

// tell puts an entry into words; empty where it is not worth a line.
func (w *World) tell(e localaws.Entry) (who, text string) {
	if e.Call != nil {
		return ByManager, w.tellCall(e.Call)
	}
	pool, server, isMember := strings.Cut(e.Change.Resource, "/")
	switch {
	case isMember && (e.Change.To == "healthy" || e.Change.To == "unhealthy"):
		return ByAWS, fmt.Sprintf("%s finds %s %s (%s); it has %s", pool, w.named(server), e.Change.To, e.Change.Why, w.pool(pool))
	case e.Change.Kind == "app" && e.Change.To == "serving":
		return ByAWS, w.named(e.Change.Resource) + " is configured and answers"
	case e.Change.Kind == "instance" && e.Change.To == "terminated":
		return ByAWS, w.named(e.Change.Resource) + " is terminated"
	}
	return "", ""
}

func (w *World) tellCall(c *localaws.CallEntry) string {
	switch {
	case c.Who.AccessKey != ManagerKey || !c.Mutates:
		// Also a refused question is left out: AWS refuses to tell the health of a server that has left the load balancer, and
		// to the manager that is an answer. What it is not told and needs, the Release's conditions say.
		return ""
	case c.Status != 0:
		return fmt.Sprintf("%s was refused: %s: %s", c.Action, c.Code, c.Message)
	case len(c.Effects) > 0:
		return c.Action + ": " + w.named(strings.Join(c.Effects, "; "))
	}
	return ""
}

var instanceID = regexp.MustCompile(`i-[0-9a-f]{17}`)

// named calls servers by their version and the end of their id, such as v2-3f9a.
func (w *World) named(text string) string {
	return instanceID.ReplaceAllStringFunc(text, func(id string) string {
		server, known := w.AWS.Instance(id)
		if !known {
			return id
		}
		return server.Version + "-" + id[len(id)-4:]
	})
}

// pool is what a pool has, such as "v1 3/3 healthy, v2 1/3 healthy".
func (w *World) pool(name string) string {
	info, _ := w.AWS.Pool(name)
	type count struct{ all, healthy, draining int }
	counts := map[string]count{}
	for _, m := range info.Members {
		server, _ := w.AWS.Instance(m.InstanceID)
		c := counts[server.Version]
		switch {
		case m.Draining:
			c.draining++
		case m.State == "healthy":
			c.healthy++
			c.all++
		default:
			c.all++
		}
		counts[server.Version] = c
	}
	var parts []string
	for _, version := range slices.Sorted(maps.Keys(counts)) {
		c := counts[version]
		if c.all > 0 {
			parts = append(parts, fmt.Sprintf("%s %d/%d healthy", version, c.healthy, c.all))
		}
		if c.draining > 0 {
			parts = append(parts, fmt.Sprintf("%s %d draining", version, c.draining))
		}
	}
	if parts == nil {
		return "nobody"
	}
	return strings.Join(parts, ", ")
}
