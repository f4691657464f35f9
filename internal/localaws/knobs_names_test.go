package localaws

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestKnobsAreSetByName(t *testing.T) {
	k := DefaultKnobs()
	for _, s := range [][2]string{{"PendingMin", "1s"}, {"pending-max", "2m"}, {"throttle", "true"}, {"Balancers.HealthLag", "1s..2s"},
		{"classic-registration", "3s"}, {"balancers.classic_lists_draining", "1"}} {
		if err := k.Set(s[0], s[1]); err != nil {
			t.Errorf("%s=%s: %v", s[0], s[1], err)
		}
	}
	want := DefaultKnobs()
	want.PendingMin, want.PendingMax, want.Throttle = time.Second, 2*time.Minute, true
	want.Balancers.HealthLag, want.Balancers.ClassicRegistration = Span{time.Second, 2 * time.Second}, Span{3 * time.Second, 3 * time.Second}
	want.Balancers.ClassicListsDraining = true
	if diff := cmp.Diff(want, k); diff != "" {
		t.Errorf("the knobs (-want +got):\n%s", diff)
	}
}

// What Settings writes, Set reads: of every knob there is.
func TestKnobsAreReadAsTheyAreWritten(t *testing.T) {
	was, now := DefaultKnobs(), Knobs{}
	for _, s := range was.Settings() {
		if err := now.Set(s.Name, s.Value); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(was, now); diff != "" {
		t.Errorf("the knobs (-written +read):\n%s", diff)
	}
}

func TestWrongKnobsAreRefusedInWords(t *testing.T) {
	s := newSim(t)
	was := s.Knobs()
	for _, test := range []struct{ name, value, want string }{
		{"pendingmean", "1s", "there is no knob pendingmean; there are PendingMin, PendingMax,"},
		{"PendingMin", "soon", "knob PendingMin=soon: it is a time such as 5s"},
		{"PendingMin", "-1s", "it is a time such as 5s"},
		{"Throttle", "maybe", "it is true or false"},
		{"HealthLag", "2s..1s", "knob Balancers.HealthLag=2s..1s: it is a span of times"},
		{"HealthLag", "1s..", "it is a span of times"},
	} {
		err := s.TuneByName(KnobSetting{"Configure", "1h"}, KnobSetting{test.name, test.value})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s=%s: error %v, want one with %q", test.name, test.value, err, test.want)
		}
	}
	if diff := cmp.Diff(was, s.Knobs()); diff != "" {
		t.Errorf("a list with a wrong knob has changed the others:\n%s", diff)
	}
}

func TestChangedKnobsAreInTheLedger(t *testing.T) {
	s := newSim(t)
	seq := s.LastSeq()
	if err := s.TuneByName(KnobSetting{"configure", "1h"}, KnobSetting{"Stopping", "20s"}); err != nil {
		t.Fatal(err)
	}
	got := s.LedgerSince(seq)
	if len(got) != 1 || got[0].Change.Kind != "knob" || got[0].Change.Resource != "Configure" || got[0].Change.From != "17s" || got[0].Change.To != "1h0m0s" {
		t.Errorf("the ledger has %v", got)
	}
}

// People read what a knob is for, of every one, and not just its name.
func TestEveryKnobSaysWhatItIsFor(t *testing.T) {
	for _, s := range DefaultKnobs().Settings() {
		full, meaning, err := KnobMeaning(strings.ToLower(s.Name))
		if err != nil || full != s.Name || len(strings.Fields(meaning)) < 6 || !strings.HasSuffix(meaning, "Default: "+s.Value+".") {
			t.Errorf("%s: %q, %q, %v", s.Name, full, meaning, err)
		}
	}
	if _, _, err := KnobMeaning("colour"); err == nil || !strings.Contains(err.Error(), "there is no knob colour; there are PendingMin") {
		t.Errorf("a knob that there is not: %v", err)
	}
}
