package e2e

import (
	"reflect"
	"time"

	"slipway.dev/slipway/internal/localaws"
)

// Temper is how an AWS behaves where AWS's documents leave it open, or allow it to be slow.
type Temper struct {
	// Name tells it from others in the name of a test.
	Name string
	// Tune changes the knobs of a world; nil changes none. One with Latency needs a clock that goes on by itself (Bubble).
	Tune func(*localaws.Knobs)
	// Lags says that readings trail calls: a controller that was started meanwhile may repeat a call, without effect.
	Lags bool
	// Slack is how much longer a switch may take than by plain AWS: the lag of the reading that shows the last server healthy, and
	// the latency of the calls after it, which are seven, one after the other: a pass that began too early and two that see it,
	// each of EC2 and then of the pools, and the Deregister.
	Slack time.Duration
	// SweepMost is the manager's: to a negative one every cluster is large, and each Release's servers are read for themselves.
	SweepMost int
	// Drain is how long every pool drains a server at most. Default: 5 s, so that no scenario waits for it.
	Drain time.Duration
}

// Plain is AWS by its documents, with short waits.
func Plain() Temper { return Temper{Name: "plain"} }

// Harsh is AWS at its most unkind: its documented rate limits, 300 ms a call, lagging and incomplete answers, and each knob
// in its other position.
func Harsh() Temper {
	return Temper{Name: "harsh", Lags: true, SweepMost: -1, Drain: 40 * time.Second, Slack: 2*time.Second + 7*300*time.Millisecond, Tune: func(k *localaws.Knobs) {
		for _, flag := range flags(k) {
			*flag.value = !*flag.value
		}
		k.Throttle, k.LargerELBReads = true, false // the smaller of the two documented sets
		k.Latency = 300 * time.Millisecond
		for _, slow := range []func(*localaws.Knobs){awsPace, lateDead, earlyDead, longMemory, lateNetwork, slowChecks, tightQuotas} {
			slow(k)
		}
		k.LaunchVisible, k.LaunchMutable = 2*time.Second, 4*time.Second
		k.TagLag, k.StateLag = 2*time.Second, time.Second
		k.TerminatedCounts, k.ProfileLag = time.Minute, 2*time.Second
		b := &k.Balancers
		b.DeregistrationLag = localaws.Span{Max: 2 * time.Second}
		b.RulePropagation = localaws.Span{Min: time.Second, Max: 5 * time.Second}
		b.HealthLag = localaws.Span{Max: 2 * time.Second}
		b.ClassicUnknown = 0.01
		b.ClassicZoneLeaving = localaws.Span{Min: 5 * time.Second, Max: 10 * time.Second}
	}}
}

// knobs are AWS's rules with short waits, so that a scenario does not spend its passes on booting, as the temper changes them.
func (t Temper) knobs() localaws.Knobs {
	knobs := localaws.DefaultKnobs()
	knobs.Throttle = false // people and checks call as often as they like, in seconds that the clock jumps over
	knobs.PendingMin, knobs.PendingMax = Boot, Boot
	knobs.Configure = Configure
	knobs.ShuttingDown, knobs.Stopping = 2*time.Second, 2*time.Second
	knobs.Balancers.ClassicRegistration = localaws.Span{Min: time.Second, Max: 3 * time.Second}
	knobs.Balancers.ApplicationRegistration = localaws.Span{Min: time.Second, Max: 2 * time.Second}
	if t.Tune != nil {
		t.Tune(&knobs)
	}
	return knobs
}

// drains is Drain in seconds.
func (t Temper) drains() int32 {
	if t.Drain == 0 {
		return 5
	}
	return int32(t.Drain.Seconds())
}

// onOff is a knob that is on or off.
type onOff struct {
	name  string
	value *bool
}

// flags are all of them, found in the struct, so that a new one is met by every scenario.
func flags(k *localaws.Knobs) []onOff {
	var all []onOff
	var collect func(prefix string, v reflect.Value)
	collect = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			field, name := v.Field(i), prefix+v.Type().Field(i).Name
			if on, is := reflect.TypeAssert[*bool](field.Addr()); is {
				all = append(all, onOff{name, on})
			} else if field.Kind() == reflect.Struct {
				collect(name+".", field)
			}
		}
	}
	collect("", reflect.ValueOf(k).Elem())
	return all
}
