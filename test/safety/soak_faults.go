package safety

import (
	"net/http"
	"os"
	"strings"
	"time"

	"slipway.dev/slipway/test/e2e"
)

// soakFaults are what becomes of the managers' calls: one in twenty fails, and some are late. Each fault is drawn for the calls
// that those before it have spared.
var soakFaults = []string{
	"ec2:* p=0.0125 before=503:RequestLimitExceeded",
	"elb*:* p=0.0125 before=400:Throttling",
	"*:* p=0.0125 before=500:InternalFailure",
	"*:* p=0.0125 before=503:ServiceUnavailable",
	"*:* p=0.0125 lose-reply",
	"*:* p=0.01 delay=2s",
	"*:* p=0.005 delay-reply=3s",
}

// inject begins them.
func (s *soak) inject() {
	for _, line := range soakFaults {
		fault, err := s.w.AWS.InjectText(line)
		if err != nil {
			s.w.Fatalf("%v", err)
		}
		s.faults = append(s.faults, fault)
	}
}

// calm ends everything that goes wrong.
func (s *soak) calm() {
	s.heal()
	for _, fault := range s.faults {
		s.report.Faults[fault.String()] = fault.Hits()
		fault.Remove()
	}
	for id := range s.sick {
		_ = s.w.AWS.SetAppStatus(id, http.StatusOK) // an error: it is gone
	}
	clear(s.sick)
}

// hurtServer kills a server, powers one off, or lets its application fail for a while.
func (s *soak) hurtServer() {
	servers := s.w.Servers("")
	if len(servers) == 0 {
		return
	}
	id := servers[s.random.IntN(len(servers))].ID
	what := "a server is killed"
	switch err := error(nil); s.random.IntN(10) {
	case 0, 1, 2, 3:
		err = s.w.AWS.Kill(id)
		s.must(what, err)
	case 4:
		what = "a server powers itself off"
		s.must(what, s.w.AWS.ShutDown(id))
	default:
		what = "an application answers 500 for a while"
		s.must(what, s.w.AWS.SetAppStatus(id, http.StatusInternalServerError))
		s.sick[id] = time.Now().Add(time.Duration(10+s.random.IntN(50)) * time.Second)
	}
	s.report.Faults[what]++
}

func (s *soak) must(what string, err error) {
	if err != nil {
		s.w.Fatalf("%s: %v", what, err)
	}
}

// cutNetwork takes a manager off the network of the API server for less than the lease lasts, or of AWS.
func (s *soak) cutNetwork() {
	s.heal()
	p := s.staff[s.random.IntN(len(s.staff))]
	if leader := s.find(s.leader.Load()); leader != nil && s.random.IntN(3) > 0 {
		p = leader
	}
	to, lasts := e2e.ToKube, time.Duration(1+s.random.IntN(6))*time.Second
	if s.random.IntN(3) == 0 {
		to, lasts = e2e.ToAWS, time.Duration(5+s.random.IntN(20))*time.Second
	}
	p.process.MayEnd() // the lease may not be renewed in time after all: see replaceEnded
	p.parted = time.Now().Add(lasts)
	s.heal = p.process.Part(to)
	time.AfterFunc(lasts, s.heal)
	s.report.Faults["a manager is off the network of "+to]++
}

// killLeader is SIGKILL for the leader; another process waits then.
func (s *soak) killLeader() {
	p := s.find(s.leader.Load())
	if p == nil {
		return // nobody leads at this moment
	}
	s.dismiss(p)
	p.process.Kill()
	s.report.LeaderKills++
	s.employ(s.w.Start())
}

// replaceEnded starts a process for each that ended by itself: one may, that could not renew the lease while it was off the network.
func (s *soak) replaceEnded() {
	for _, p := range s.staff {
		select {
		case <-p.process.Ended:
		default:
			continue
		}
		if time.Since(p.parted) > 30*time.Second {
			s.violation("the manager %s ended by itself: %s", p.process.Key, strings.TrimSpace(lastLine(p)))
		}
		s.dismiss(p)
		s.report.LeasesLost++
		s.employ(s.w.Start())
		return // the staff is another now
	}
}

// lastLine is what a process logged at its end.
func lastLine(p *worker) string {
	text, err := os.ReadFile(p.process.Log())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
