//go:build !race

package safety

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/test/e2e"
	"slipway.dev/slipway/test/kubestore"
)

var lives = flag.Int("safety.lives", 20, "so many random lives; with -safety.deep as many as the time allows, each round by another seed")

// TestRandomLives lets people and the world do whatever they like, in any order. The laws hold at every call, and once nothing is
// wrong any more everything comes to what the specs ask for. What rapid finds it makes as short as it can; then it belongs into
// TestFoundLives.
func TestRandomLives(t *testing.T) {
	for round := *pairSeed; ; round++ {
		set(t, "rapid.seed", round)
		set(t, "rapid.checks", *lives)
		if !randomLives(t, fmt.Sprint("round ", round)) || !*deep || *budget == 0 || late(livesShare) {
			return
		}
	}
}

// set gives one of rapid's flags a value, unless somebody gave it one.
func set[N int | uint64](t *testing.T, name string, n N) {
	if given[name] {
		return
	}
	if err := flag.Set(name, fmt.Sprint(n)); err != nil {
		t.Fatal(err)
	}
}

func randomLives(t *testing.T, name string) (ok bool) {
	last, story := "", ""
	ok = t.Run(name, func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			seed := rapid.SampledFrom([]string{"", "", mannedWord}).Draw(rt, "whom") + fmt.Sprint(rapid.IntRange(0, 9).Draw(rt, "seed"))
			var lines []string
			why := alone(t, "life/"+seed, false, func(p *player) {
				l := newLife(p, strings.HasPrefix(seed, mannedWord))
				defer func() { lines = l.lines }()
				l.live("begin " + rapid.SampledFrom(beginnings).Draw(rt, "begin"))
				rt.Repeat(l.actions())
				l.end()
			})
			total.add(func(r *report) {
				r.Lives++
				r.LifeSteps += len(lines)
				if strings.HasPrefix(seed, mannedWord) {
					r.LivesManned++
				}
			})
			if why != "" {
				story = why
				last = "life/" + seed + "/" + strings.Join(lines, "; ")
				rt.Log(why)
				rt.Fatalf("%s", alike(why))
			}
		})
	})
	if !ok {
		total.add(func(r *report) {
			r.Violations++
			r.Failed = append(r.Failed, last)
		})
		t.Logf("%s\nagain, with every line: make repro SEED='%s'", story, last)
	}
	return ok
}

// TestFoundLives lives again what the random lives found.
func TestFoundLives(t *testing.T) {
	for _, found := range []struct{ what, seed, lines string }{
		{
			"a deletion while EC2 shows none of the servers ends them all, later", "1",
			"begin live; wait 12m; blind ec2:DescribeInstances missing=i-* 1m; delete web Terminate; wait 2m",
		},
		{
			"a pool that was never found out is let go", "1",
			"begin preview; fail elb:*@extra hang 5m; declare extra test; deploy v3 Preview for; wait 40s; deploy v1 - for; drop extra",
		},
		{
			"an adopted fleet that is too small, and a version beside it", "0",
			"begin nothing; hand-made api; make v1 RolledBack alone; adopt on; deploy v3 Preview any",
		},
		{
			"a version under RolledBack, which nobody deploys, is not told to be the stable one", "0",
			"begin settled; deploy v3 RolledBack other",
		},
		{
			"two versions whose records were lost keep their places in the history when EC2 forgets the servers of one", "8",
			"begin preview; young 5m 1m; stranger edge; delete rival Terminate; all-sick v2; adopt off; restart; expire 10s; " +
				"delete web Retain; adopt off; hand-made edge; kill v2 0; expire 10s; health 2 70 10m; deploy v3 Live for; " +
				"drop test; blind ec2:DescribeInstances missing=*1 1m; adopt off; sick v2 2; all-sick v2; sick any 1; " +
				"make v3 Preview former; wait 40s; wait 40s; wait 10s; sick any 0; restart; " +
				"fail ec2:DescribeInstances lose-reply 10s; scale 2; blind ec2:DescribeInstances stale=30s 5m",
		},
		{
			"a server that a person put into a pool that neither spec nor memory names is ended", "1",
			"begin live; pause on; declare extra production; drop extra; pause off; put-in extra v1 0; phase Complete for; wait 2m",
		},
		{
			"servers of a former Release, in a pool that left the spec before they were adopted, are ended", "1",
			"begin live; phase Complete for; wait 2m; delete web Retain; wait 40s; make v3 Preview alone; drop edge; adopt off; wait 10s; " +
				"phase Complete for",
		},
	} {
		t.Run(found.what, func(t *testing.T) {
			if why := again(t, found.seed, found.lines, false); why != "" {
				t.Fatalf("%s\nagain, with every line: make repro SEED='life/%s/%s'", why, found.seed, found.lines)
			}
		})
	}
}

// again lives a life line by line.
func again(t *testing.T, seed, lines string, tell bool) string {
	return alone(t, "life/"+seed, tell, func(p *player) {
		l := newLife(p, strings.HasPrefix(seed, mannedWord))
		for line := range strings.SplitSeq(lines, "; ") {
			p.Logf("%s %s", time.Now().Format("15:04:05.000"), line)
			l.live(line)
		}
		l.end()
		p.Logf("%s", l.w.Story())
	})
}

// actions are all acts, as often as their weights say.
func (l *life) actions() map[string]func(*rapid.T) {
	all := map[string]func(*rapid.T){}
	some := acts
	if l.manned == nil {
		some = slices.Concat(people, mishaps)
	}
	for _, a := range some {
		for i := range a.weight {
			all[fmt.Sprint(a.name, i)] = func(t *rapid.T) {
				words := make([]string, 0, len(a.words))
				for _, choice := range a.words {
					words = append(words, rapid.SampledFrom(choice).Draw(t, "word"))
				}
				l.live(a.say(words))
			}
		}
	}
	return all
}

// newLife makes a world in the bubble that it is called in, whose controller makes its passes when they are due, or one that a
// manager looks after. Its delays depend on the player's name.
func newLife(p *player, withManager bool) *life {
	clock := e2e.NewBubble()
	p.Cleanup(func() { clock.Advance(time.Minute) }) // for calls that are still under way
	store, err := kubestore.New(operator.Scheme(), "../../config/crd/bases", clock.Now)
	if err != nil {
		p.Fatalf("%v", err)
	}
	l := &life{faults: map[string]*localaws.FaultHandle{}, retried: map[string]bool{}}
	if !withManager {
		l.w = e2e.NewWorldUnder(p, store, clock, e2e.Plain())
		return l
	}
	l.manned = newManned()
	l.w = e2e.NewManned(p, store, clock, e2e.Plain(), l.manned.tap)
	return l
}

// alike is the beginning of a failure without what differs from run to run, so that rapid knows one again.
func alike(why string) string {
	first, _, _ := strings.Cut(why, "\n")
	return number.ReplaceAllString(first, "#")
}

var number = regexp.MustCompile(`[0-9a-f-]*[0-9][0-9a-f-]*`)
