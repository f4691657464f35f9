package playground

import (
	"context"
	"net/http"
	"testing"
	"time"

	"slipway.dev/slipway/internal/localaws"
)

// A world may be left running for days.
func TestFollowAndForget(t *testing.T) {
	w := &World{AWS: localaws.New(localaws.Options{Seed: 1})}
	t.Cleanup(w.AWS.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.FollowAndForget(ctx, func(l Line) { t.Errorf("told of a question: %+v", l) })
	}()
	const calls = 100_000
	for range calls {
		ask(t, w.AWS)
	}
	forgotten := func() bool { return len(w.AWS.Ledger()) < forgetEvery }
	for deadline := time.After(time.Minute); !forgotten(); {
		select {
		case <-deadline:
			t.Fatalf("%d entries are left of %d", len(w.AWS.Ledger()), w.AWS.LastSeq())
		case <-time.After(10 * time.Millisecond):
		}
	}
	if last := w.AWS.LastSeq(); last != calls {
		t.Errorf("%d entries for %d calls", last, calls)
	}
	cancel()
	<-ended
}

// ask makes one call that changes nothing.
func ask(t *testing.T, cloud *localaws.Cloud) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://aws/?Action=GetCallerIdentity&Version=2011-06-15", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := cloud.Transport().RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
}

func TestTell(t *testing.T) {
	w := &World{AWS: localaws.New(localaws.Options{Seed: 1})}
	t.Cleanup(w.AWS.Close)
	by := func(key string, c localaws.CallEntry) localaws.Entry {
		c.Who.AccessKey = key
		return localaws.Entry{Call: &c}
	}
	change := func(kind, resource, to string) localaws.Entry {
		return localaws.Entry{Change: &localaws.ChangeEntry{Kind: kind, Resource: resource, To: to, Why: "because"}}
	}
	registered := localaws.CallEntry{Action: "RegisterTargets", Mutates: true, Effects: []string{"registered i-0123456789abcdef0 with prod-tg"}}
	for name, test := range map[string]struct {
		entry     localaws.Entry
		who, text string
	}{
		"what the manager changes": {by(ManagerKey, registered), ByManager, "RegisterTargets: registered i-0123456789abcdef0 with prod-tg"},
		"what it is refused": {
			by(ManagerKey, localaws.CallEntry{Action: "RunInstances", Mutates: true, Status: 400, Code: "InvalidAMIID.NotFound", Message: "does not exist"}),
			ByManager, "RunInstances was refused: InvalidAMIID.NotFound: does not exist",
		},
		"what it reads": {by(ManagerKey, localaws.CallEntry{Action: "DescribeInstances"}), ByManager, ""},
		"what it is not told": {
			by(ManagerKey, localaws.CallEntry{Action: "DescribeInstanceHealth", Status: 400, Code: "InvalidInstance", Message: "Could not find EC2 instance"}),
			ByManager, "",
		},
		"what others do":       {by(SetupKey, registered), ByManager, ""},
		"health":               {change("target", "prod-tg/i-0123456789abcdef0", "healthy"), ByAWS, "prod-tg finds i-0123456789abcdef0 healthy (because); it has nobody"},
		"registration":         {change("target", "prod-tg/i-0123456789abcdef0", "registered"), "", ""},
		"a server that boots":  {change("instance", "i-0123456789abcdef0", "running"), "", ""},
		"a server that serves": {change("app", "i-0123456789abcdef0", "serving"), ByAWS, "i-0123456789abcdef0 is configured and answers"},
		"a server that is gone": {
			change("instance", "i-0123456789abcdef0", "terminated"), ByAWS, "i-0123456789abcdef0 is terminated",
		},
	} {
		if who, text := w.tell(test.entry); text != test.text || who != test.who {
			t.Errorf("%s: %q by %q, want %q by %q", name, text, who, test.text, test.who)
		}
	}
}
