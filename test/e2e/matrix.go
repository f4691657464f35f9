package e2e

import (
	"fmt"
	"math/bits"
	"slices"
	"time"

	"slipway.dev/slipway/internal/localaws"
)

// aSwitch is one knob of AWS's behavior, or a few that belong together, with its other position.
type aSwitch struct {
	name string
	turn func(*localaws.Knobs)
}

// switches are all knobs that are on or off, the lags, and what else is slow, short or tight (harsh.go).
func switches() []aSwitch {
	all := []aSwitch{
		{"slow calls", func(k *localaws.Knobs) { k.Latency = 300 * time.Millisecond }},
		{"launches lag", func(k *localaws.Knobs) { k.LaunchVisible, k.LaunchMutable = lag, lag }},
		{"tags lag", func(k *localaws.Knobs) { k.TagLag = lag }},
		{"states lag", func(k *localaws.Knobs) { k.StateLag = lag }},
		{"health lags", func(k *localaws.Knobs) { k.Balancers.HealthLag = localaws.Span{Max: 2 * time.Second} }},
		{"deregistration lags", func(k *localaws.Knobs) { k.Balancers.DeregistrationLag = localaws.Span{Max: 5 * time.Second} }},
		{"rules lag", func(k *localaws.Knobs) {
			k.Balancers.RulePropagation = localaws.Span{Min: time.Second, Max: 10 * time.Second}
		}},
		{"the dead are soon gone", earlyDead},
		{"the dead count", func(k *localaws.Knobs) { k.TerminatedCounts = time.Minute }},
		{"profiles lag", func(k *localaws.Knobs) { k.ProfileLag = lag }},
		{"health is unknown now and then", func(k *localaws.Knobs) { k.Balancers.ClassicUnknown = 0.01 }},
		{"zones leave slowly", func(k *localaws.Knobs) { k.Balancers.ClassicZoneLeaving = localaws.Span{Min: lag, Max: lag} }},
		{"AWS's pace", awsPace},
		{"the dead stay in pools", lateDead},
		{"a long memory", longMemory},
		{"network nodes lag", lateNetwork},
		{"status checks are slow", slowChecks},
		{"quotas are tight", tightQuotas},
	}
	onOffs := flags(new(localaws.Knobs))
	all = slices.Grow(all, len(onOffs))
	for i, f := range onOffs {
		all = append(all, aSwitch{f.name, func(k *localaws.Knobs) { *flags(k)[i].value = !*flags(k)[i].value }})
	}
	return all
}

// lag is how long readings of EC2 trail calls in the matrix. AWS names no figure, and advises to poll for minutes.
const lag = 10 * time.Second

// Matrix gives tempers in which each two switches are met in all four positions. Row r turns switch s on where bit r of the s-th
// code is set. Of codes with four of eight bits set, of which there are 70, two different ones differ in both directions: in one
// row the first switch is on alone, in one the second. A row with all on and one with none have both and neither.
//
//	switch  0 1 2 3 …
//	row 0   1 1 1 0 …
//	row 1   1 1 0 1 …
//	row 2   1 0 1 1 …
//	row 3   1 0 0 0 …
//	row 4   0 1 1 1 …
func Matrix() []Temper {
	const rowsOfCodes = 8
	var codes []int
	for code := range 1 << rowsOfCodes {
		if bits.OnesCount(uint(code)) == rowsOfCodes/2 {
			codes = append(codes, code)
		}
	}
	rows := make([]Temper, 0, rowsOfCodes+2)
	for r := range rowsOfCodes + 2 {
		on := func(s int) bool { return r == rowsOfCodes || r < rowsOfCodes && codes[s]>>r&1 == 1 }
		rows = append(rows, row(fmt.Sprintf("row %d", r), on))
	}
	return rows
}

func row(name string, on func(s int) bool) Temper {
	return Temper{Name: name, Lags: true, Drain: 40 * time.Second, Slack: lag + 2*time.Second + 4*300*time.Millisecond, Tune: func(k *localaws.Knobs) {
		for s, knob := range switches() {
			if on(s) {
				knob.turn(k)
			}
		}
	}}
}
