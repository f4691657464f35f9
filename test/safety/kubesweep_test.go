//go:build !race

package safety

import (
	"flag"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"slipway.dev/slipway/test/e2e"
)

var (
	kubeEvery = flag.Int("safety.kubeevery", 0, "of each scenario's faults of Kubernetes at each step play each n-th; 0: "+
		"a sample, with -safety.deep all")
	kubeFrom = flag.Int("safety.kubefrom", 0, "the first of them: each n-th from 0, 1, … to n-1 on are all, in n parts")
)

// kubeSample is n for the sample. It is prime, so that each fault and all parts of a scenario have their turn.
const kubeSample = 211

// TestKubernetesAtEachStep lets Kubernetes go wrong from each step of a scenario on, in each way, one run each.
func TestKubernetesAtEachStep(t *testing.T) {
	nth := *kubeEvery
	switch {
	case nth > 0:
	case *deep:
		nth = 1
	default:
		nth = kubeSample
	}
	take(t, kubeShare, deal(t, func(t *testing.T, n int, s e2e.Scenario) []turn {
		calm := &hindrance{}
		var want string
		if !run(t, "undisturbed", "kube/"+s.Name, func(t *testing.T) { want = calm.play(t, s, "") }) {
			return nil
		}
		all := hindrances(calm.steps)
		t.Logf("%d steps, %d faults", len(calm.steps), len(all))
		total.add(func(r *report) { r.KubeSteps += len(calm.steps); r.KubeFaultsTotal += len(all) })
		var turns []turn
		for i := (n + *kubeFrom) % nth; i < len(all); i += nth {
			turns = append(turns, turn{s.Name + "/" + all[i]().String(), func(t *testing.T) {
				h := all[i]() // here, for it keeps its world
				run(t, "again", "kube/"+s.Name+"/"+h.String(), func(t *testing.T) { h.play(t, s, want) })
				total.add(func(r *report) {
					r.KubeFaultsRun++
					if h.hit {
						r.KubeFaultsHit++
					}
				})
			}})
		}
		return turns
	}))
}

// hindrances make all faults at all of the steps that they can begin at, each when it is played.
func hindrances(steps []e2e.Wire) (all []func() *hindrance) {
	for at, step := range steps {
		for n, f := range stepFaults() {
			if !f.written || step.To == e2e.ToKube {
				all = append(all, func() *hindrance { return &hindrance{fault: stepFaults()[n], at: at} })
			}
		}
	}
	return all
}

// reproKube plays one again: SCENARIO/FAULT/N, or a scenario alone.
func reproKube(t *testing.T, what string) {
	rest, number, _ := cutLast(what)
	name, fault, _ := cutLast(rest)
	at, err := strconv.Atoi(number)
	if err != nil {
		name, fault = what, ""
	}
	s, want := scenarioNamed(t, name), ""
	synctest.Test(t, func(t *testing.T) { want = (&hindrance{}).play(t, s, "") })
	if fault == "" {
		return
	}
	for _, f := range stepFaults() {
		if f.name != fault {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			h := &hindrance{fault: f, at: at}
			t.Cleanup(func() {
				for n, step := range h.steps {
					t.Logf("%4d %s %s", n, step.To, step.What)
				}
			})
			h.play(t, s, want)
			t.Log(h.world.Story())
		})
		return
	}
	t.Fatalf("there is no fault %q", fault)
}

func cutLast(text string) (before, after string, ok bool) {
	i := strings.LastIndex(text, "/")
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}
