package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// left notes that servers of a version are taken out of production just now.
func left(version string, servers ...string) change {
	return revision(version, func(r *Revision) { r.left(epoch, "edge", servers) })
}

// Whoever left a moment ago is not believed to be healthy in production, whatever asks: until readingLag is over nobody goes for its sake.
func TestWhoLeftAMomentAgoIsNotBelieved(t *testing.T) {
	good := func(in *Input) { in.Soft.GoodPasses = 1 }
	back := all(promoting, spec(func(s *Spec) { s.Phase = PhaseRolledBack }), since("restore/web-1", time.Second))
	one := spec(func(s *Spec) { s.Replicas = 1 })
	extra := all(func(in *Input) {
		in.World.Servers = append(in.World.Servers, aServer("i-5", "1", "a"))
		in.World.Servers[len(in.World.Servers)-1].Launched = epoch.Add(-time.Minute)
	}, without("i-2"), one, members("edge", "i-1", "i-5"))
	third := func(in *Input) {
		in.Memory.Revisions = append(in.Memory.Revisions, Revision{Name: "web-3", Version: "3", Number: 1, Pools: []string{"edge"}})
		in.World.Servers = append(in.World.Servers, aServer("i-5", "3", "a"), aServer("i-6", "3", "b"))
	}
	for name, c := range map[string]struct {
		in   change
		call string
	}{
		"the gate of a promotion":                {all(promoting, good, left("2", "i-3", "i-4")), "Deregister i-1,i-2 from edge"},
		"the gate of one that begins":            {all(promoting, good, left("2", "i-4"), revision("2", func(r *Revision) { r.Promotion = Promotion{} })), "Deregister i-1,i-2 from edge"},
		"a rollback, of whom it puts back":       {all(back, left("1", "i-1", "i-2")), "Deregister i-3,i-4 from edge"},
		"one that was lost":                      {all(back, revision("1", func(r *Revision) { r.Lost = true }), left("1", "i-1", "i-2")), "Deregister i-3,i-4 from edge"},
		"law 1, where one is let go of":          {all(extra, left("1", "i-1")), "Deregister i-5 from edge"},
		"law 1, where a third fleet is to leave": {all(live, third, members("edge", "i-3", "i-4", "i-5", "i-6"), left("2", "i-3", "i-4")), "Deregister i-5,i-6 from edge"},
	} {
		t.Run(name, func(t *testing.T) {
			for late, leaves := range map[time.Duration]bool{0: false, readingLag - time.Nanosecond: false, readingLag: true} {
				d := Decide(newCase(c.in, func(in *Input) { in.Now = epoch.Add(late) }))
				if again := decideAgain(newCase(c.in), d, late); slices.Contains(words(again.Actions), c.call) != leaves {
					t.Errorf("after %s it sends %v, holds back %v, waits for %s", late, words(again.Actions), again.Report.Held, again.Report.Message)
				}
			}
		})
	}
}

// decideAgain decides on the same world once more, by what the pass before remembers.
func decideAgain(in Input, before Decision, late time.Duration) Decision {
	in.Now = epoch.Add(late)
	in.Soft = before.Soft
	in.Memory = before.Memory
	return Decide(in)
}

// It is noted with the call, for each call that takes servers out of production; a repeated one once a second at most, for each is a write.
func TestWhoLeavesIsNoted(t *testing.T) {
	passed := all(promoting, func(in *Input) { in.Soft.GoodPasses = 1 })
	d := Decide(newCase(passed))
	if diff := cmp.Diff([]Leave{{[]string{"edge"}, []string{"i-1", "i-2"}, epoch.Add(readingLag)}}, remembered(d, "web-1").Left); diff != "" {
		t.Errorf("the switch (-want +got):\n%s", diff)
	}
	if noted := remembered(d, "web-2").Left; len(noted) > 0 {
		t.Errorf("%v stay", noted)
	}
	for late, until := range map[time.Duration]time.Duration{noteAgain - time.Nanosecond: 0, noteAgain: noteAgain} {
		in := newCase(passed)
		in.Memory, in.Now = d.Memory, epoch.Add(late)
		if again := Decide(in); !remembered(again, "web-1").Left[0].Until.Equal(epoch.Add(until+readingLag)) || len(remembered(again, "web-1").Left) > 1 {
			t.Errorf("repeated after %s it is noted as %v", late, remembered(again, "web-1").Left)
		}
	}
	goes := all(live, revision("2", func(r *Revision) { r.Left = []Leave{{[]string{"edge"}, []string{"i-9"}, epoch}} }), server("i-4", func(s *Server) { s.Hold = true }),
		spec(func(s *Spec) { s.Replicas, s.MinHealthyPercent = 2, 50 }))
	if noted := remembered(Decide(newCase(goes)), "web-2").Left; len(noted) != 1 || !slices.Equal(noted[0].Servers, []string{"i-4"}) {
		t.Errorf("noted are %v, want the one that is held, and none of long ago", noted)
	}
	for name, in := range map[string]change{
		"out of a test pool": all(live, members("preview", "i-3", "i-4")),
		"a deletion":         all(live, spec(func(s *Spec) { s.Deleting, s.TerminateOnDelete = true, true })),
	} {
		if noted := remembered(Decide(newCase(in)), "web-2").Left; len(noted) > 0 {
			t.Errorf("%s: noted are %v", name, noted)
		}
	}
}

// A reading that does not show who is called back may be of before they came in, unless they were taken out since.
func TestWhoCameAMomentAgoIsNotTakenForGone(t *testing.T) {
	called := func(ago time.Duration) change {
		return all(promoting, members("edge", "i-1", "i-2"), spec(func(s *Spec) { s.Phase = PhaseRolledBack }), since("restore/web-1", time.Second),
			revision("2", func(r *Revision) { r.Promotion = Promotion{StartedAt: epoch.Add(-ago)} }))
	}
	for name, c := range map[string]struct {
		in   change
		want Stage
	}{
		"it began a moment ago":           {called(readingLag - time.Nanosecond), StageRollingBack},
		"it began a while ago":            {called(readingLag), StageRolledBack},
		"and was taken out since":         {all(called(time.Second), left("2", "i-3", "i-4")), StageRolledBack},
		"and was taken out before it did": {all(called(time.Second), left("2", "i-3"), revision("2", func(r *Revision) { r.Left[0].Until = epoch })), StageRollingBack},
	} {
		d := Decide(newCase(c.in))
		if d.Report.Stage != c.want || d.Report.Stage == StageRollingBack && (d.After == 0 || d.After > stepEvery) {
			t.Errorf("%s: %s, next look after %s", name, d.Report.Stage, d.After)
		}
	}
}

// What a note is about begins when the call is over, however long that took.
func TestANoteCountsFromTheEndOfTheCall(t *testing.T) {
	d := Decide(newCase(all(promoting, func(in *Input) { in.Soft.GoodPasses = 1 })))
	for took, until := range map[time.Duration]time.Duration{0: 0, noteAgain - 1: 0, 20 * time.Second: 20 * time.Second} {
		after := Left(Record(d.Memory, nil, epoch.Add(took)), d.Actions, epoch.Add(took))
		if left := after.find("web-1").Left; len(left) != 1 || !left[0].Until.Equal(epoch.Add(until+readingLag)) {
			t.Errorf("after a call of %s it is noted as %v", took, left)
		}
	}
	if left := d.Memory.find("web-1").Left; !left[0].Until.Equal(epoch.Add(readingLag)) {
		t.Errorf("the decision was changed: %v", left)
	}
}

// Who was told to leave, and is still there, serves: in a pool that does not balance across zones its zone would be without anybody.
func TestWhoDidNotLeaveServesItsZone(t *testing.T) {
	zonal := all(promoting, spec(func(s *Spec) { s.Phase = PhaseRolledBack }), pool("edge", func(p *Pool) { p.ZonalOnly = true }),
		revision("2", func(r *Revision) { r.Promotion = Promotion{StartedAt: epoch.Add(-time.Minute)} }),
		since("restore/web-1", 2*time.Minute), since("rollback/web-1", 2*time.Minute), without("i-2"))
	for name, in := range map[string]change{"never told": zonal, "told to leave": all(zonal, left("2", "i-3", "i-4"))} {
		if calls := words(Decide(newCase(in)).Actions); slices.ContainsFunc(calls, func(call string) bool { return strings.Contains(call, "i-4") && strings.HasPrefix(call, "Deregister") }) {
			t.Errorf("%s: it sends %v", name, calls)
		}
	}
}
