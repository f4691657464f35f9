//go:build bench

package bench

import (
	"slices"
	"testing"
)

// As many servers cost as many reads of EC2, or the report says so.
func TestReadsThatDependOnTheNumberOfReleasesAreTold(t *testing.T) {
	rows := func(reads float64) *rests {
		return &rests{Rows: []steady{
			{Releases: 1, Servers: 10, Minutes: 2, EC2Reads: 9},
			{Releases: 10, Servers: 1000, Minutes: 2, EC2Reads: 3},
			{Releases: 100, Servers: 1000, Minutes: 2, EC2Reads: reads},
		}}
	}
	if a := rows(4.5).alike(); len(a) != 1 || !a[0].Met {
		t.Errorf("a sweep more: %v", a)
	}
	if a := rows(30).alike(); len(a) != 1 || a[0].Met {
		t.Errorf("a sweep for each ten Releases: %v", a)
	}
}

// One number of servers is for all worlds, several are one for each.
func TestWorldsAtRest(t *testing.T) {
	for servers, want := range map[string][]resting{"10": {{1, 10}, {100, 10}}, "100,10": {{1, 100}, {100, 10}}, "1,2,3": nil, "x": nil} {
		if got, err := restings("1,100", servers); !slices.Equal(got, want) || (err != nil) != (want == nil) {
			t.Errorf("%s: %v, %v", servers, got, err)
		}
	}
}
