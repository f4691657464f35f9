package awsmodel

import (
	"slices"
	"testing"
)

func TestInputsAreSpelledAsOnTheWire(t *testing.T) {
	for service, want := range map[string]struct {
		operation string
		names     []string
	}{
		"toyec2":   {"DescribeThings", []string{"DryRun", "Filter.N.Name", "Filter.N.Value.N", "Name.N", "Piece.N"}},
		"toyquery": {"DescribeThings", []string{"Counts.entry.N.key", "Counts.entry.N.value", "Flat.N", "Like.Name", "Names.member.N"}},
		"toyjson":  {"GetThing", []string{"Counts.key", "Names.N"}},
	} {
		if got := toy(t, service).Inputs(want.operation); !slices.Equal(got, want.names) {
			t.Errorf("%s: %v, want %v", service, got, want.names)
		}
	}
	if got := toy(t, "toyquery").Inputs("DropThing"); got != nil {
		t.Errorf("without input: %v", got)
	}
}
