//go:build !race

// The race detector would make these ten times as slow; the same scenarios run under it on a real API server.

package e2e

import (
	"flag"
	"testing"
	"testing/synctest"
	"time"

	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/test/kubestore"
)

var matrix = flag.Bool("e2e.matrix", false, "play the scenarios under each row of the matrix of AWS's knobs, for an hour and more")

// TestTempers plays all scenarios in memory, in a bubble of virtual time each, under an AWS that is harsh; with -e2e.matrix under
// a plain one and each row of the matrix.
func TestTempers(t *testing.T) {
	tempers := []Temper{Harsh()}
	if *matrix {
		tempers = append([]Temper{Plain()}, Matrix()...)
	}
	for _, temper := range tempers {
		t.Run(temper.Name, func(t *testing.T) {
			for i, s := range All() {
				if leftOut(i+1, thirds) { // others than on the API server
					continue
				}
				t.Run(s.Name, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { play(t, s, temper) })
				})
			}
		})
	}
}

func play(t *testing.T, s Scenario, temper Temper) {
	kube, clock := bubbled(t)
	s.Run(NewWorldUnder(t, kube, clock, temper))
}

// bubbled is Kubernetes in a bubble of virtual time.
func bubbled(t *testing.T) (*kubestore.Store, *Bubble) {
	clock := NewBubble()
	t.Cleanup(func() { clock.Advance(time.Minute) }) // for calls that are still under way
	kube, err := kubestore.New(operator.Scheme(), "../../config/crd/bases", clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	return kube, clock
}

// Each two switches meet in all four positions.
func TestMatrixIsPairwise(t *testing.T) {
	met := map[[4]int]bool{}
	for _, temper := range Matrix() {
		at := positions(temper)
		for a := range at {
			for b := range a {
				met[[4]int{a, b, at[a], at[b]}] = true
			}
		}
	}
	n := len(switches())
	if pairs := n * (n - 1) / 2; len(met) != 4*pairs {
		t.Errorf("%d of %d meetings", len(met), 4*pairs)
	}
}

// positions are those of the switches under a temper: 1 where it is another than by default.
func positions(temper Temper) []int {
	at := make([]int, len(switches()))
	for s, knob := range switches() {
		plain, turned, now := localaws.DefaultKnobs(), localaws.DefaultKnobs(), localaws.DefaultKnobs()
		knob.turn(&turned)
		temper.Tune(&now)
		for i, setting := range now.Settings() {
			if plain.Settings()[i] != turned.Settings()[i] && setting == turned.Settings()[i] {
				at[s] = 1
			}
		}
	}
	return at
}

// Under the harsh temper every knob has another value than by default, and some switch of the matrix turns it.
func TestEveryKnobIsTurned(t *testing.T) {
	const (
		quick = "scenarios count calls by servers that come all at once"
		unmet = "no scenario has a queue; TestEventsAreHeardAtRest plays them"
	)
	spared := map[string]string{
		"PendingMin":                        quick,
		"PendingMax":                        quick,
		"Configure":                         quick,
		"Events.Delay":                      unmet,
		"Events.Lost":                       unmet,
		"Events.Doubled":                    unmet,
		"Throttle":                          "on by default; the plain temper is without",
		"LargerELBReads":                    "off by default: the smaller buckets are the harsher ones",
		"Balancers.ClassicRegistration":     "by default as slow as AWS; the plain temper is quicker",
		"Balancers.ApplicationRegistration": "by default as slow as AWS; the plain temper is quicker",
	}
	plain, harsh := localaws.DefaultKnobs().Settings(), localaws.DefaultKnobs()
	Harsh().Tune(&harsh)
	for i, now := range harsh.Settings() {
		if spared[now.Name] == "" && now == plain[i] {
			t.Errorf("%s is %s under the harsh temper, as by default", now.Name, now.Value)
		}
	}
	turned := map[string]bool{}
	for _, s := range switches() {
		base := Plain().knobs()
		was := base.Settings()
		s.turn(&base)
		for i, now := range base.Settings() {
			turned[now.Name] = turned[now.Name] || now != was[i]
		}
	}
	for _, knob := range plain {
		if why := spared[knob.Name]; !turned[knob.Name] && why != quick && why != unmet {
			t.Errorf("no switch of the matrix turns %s", knob.Name)
		}
	}
}
