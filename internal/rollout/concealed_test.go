package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// A server of the old version that EC2 does not show, and that a production pool still sends requests to, keeps the new one from being
// called Live: it leaves when EC2 shows it again. What EC2 leaves out for five minutes is gone.
func TestConcealedServerHoldsLiveUp(t *testing.T) {
	passed := all(promoting, revision("2", func(r *Revision) { r.GateAt = epoch.Add(-time.Minute) }),
		revision("1", func(r *Revision) {
			r.Launches = []Attempt{{Number: 1, Token: "t", Places: []int{0, 1}, Servers: []string{"i-1", "i-2"}, At: epoch.Add(-time.Hour)}}
		}), members("edge", "i-2", "i-3", "i-4"),
		func(in *Input) {
			in.World.Servers = slices.DeleteFunc(in.World.Servers, func(s Server) bool { return s.ID == "i-2" })
		})
	for name, test := range map[string]struct {
		change change
		live   bool
	}{
		"hidden, and it serves": {func(*Input) {}, false},
		"it drains": {pool("edge", func(p *Pool) {
			p.Members[0].State = MemberDraining
		}), true},
		"hidden, and it was adopted": {revision("1", func(r *Revision) { r.Lost, r.Launches, r.Adopted = true, nil, []string{"i-1", "i-2"} }), false},
		"it is in no pool":           {members("edge", "i-3", "i-4"), true},
		"it has ended":               {revision("1", func(r *Revision) { r.Launches[0].Ended = []string{"i-2"} }), true},
		"left out for five minutes":  {since("absent/i-2", absentAfter), true},
	} {
		d := Decide(newCase(all(passed, test.change)))
		if live := !d.Memory.find("web-2").LiveAt.IsZero(); live != test.live {
			t.Errorf("%s: live %t, %s", name, live, d.Report.Message)
		}
		if !test.live && (!strings.Contains(d.Report.Message, "i-2") || d.After != stepEvery) {
			t.Errorf("%s: %s, and next in %s", name, d.Report.Message, d.After)
		}
	}
}
