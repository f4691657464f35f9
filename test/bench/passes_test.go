//go:build bench

package bench

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"slipway.dev/slipway/test/figures"
)

// passes is out/bench-passes.json: what one pass takes, and what it takes to decide in it, by Go's own benchmarks.
type passes struct {
	figures.Provenance
	Decide     []cost `json:"decide"`
	PassAtRest []cost `json:"pass_at_rest"`
}

// cost is a line of a Go benchmark.
type cost struct {
	Case        string `json:"case,omitempty"` // of Decide: settled, promoting, switching
	Servers     int    `json:"servers"`
	Times       int    `json:"times"`
	Nanoseconds int64  `json:"ns"`
	Bytes       int64  `json:"bytes"`
	Allocations int64  `json:"allocations"`
}

// TestPasses runs the Go benchmarks of a pass at rest and of its decision, which is in a package of its own: out/bench-passes.json.
func TestPasses(t *testing.T) {
	report := passes{Provenance: measured(t)}
	report.Decide = costs(t, "Decide", "slipway.dev/slipway/internal/rollout")
	report.PassAtRest = costs(t, "PassAtRest", "slipway.dev/slipway/test/bench")
	write(t, "bench-passes.json", report)
}

func costs(t *testing.T, benchmark, pkg string) []cost {
	t.Helper()
	out, err := exec.Command("go", "test", "-tags", "bench", "-run", "^$", "-bench", "^Benchmark"+benchmark+"$", pkg).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", benchmark, err, out)
	}
	all, err := readCosts(string(out), benchmark)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return all
}

// readCosts reads what Go prints of a benchmark whose cases are CASE/SERVERS or SERVERS_servers:
//
//	BenchmarkDecide/settled/100-2   618   1937841 ns/op   1103449 B/op   614 allocs/op
func readCosts(text, benchmark string) (all []cost, err error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || !strings.HasPrefix(fields[0], "Benchmark"+benchmark+"/") {
			continue
		}
		if len(fields) != 8 || fields[3] != "ns/op" || fields[5] != "B/op" || fields[7] != "allocs/op" {
			return nil, fmt.Errorf("not a benchmark's line: %q", line)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(fields[0], "Benchmark"+benchmark+"/"), "-") // the number of processors, where it is not 1
		c := cost{}
		number := name
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			c.Case, number = name[:i], name[i+1:]
		}
		var numbers [5]float64 // nanoseconds are fractions where they are few
		for i, figure := range []string{strings.TrimSuffix(number, "_servers"), fields[1], fields[2], fields[4], fields[6]} {
			if numbers[i], err = strconv.ParseFloat(figure, 64); err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
		}
		c.Servers, c.Times = int(numbers[0]), int(numbers[1])
		c.Nanoseconds, c.Bytes, c.Allocations = int64(numbers[2]), int64(numbers[3]), int64(numbers[4])
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no line of %s", benchmark)
	}
	return all, nil
}

// What Go prints is read, with its cases and sizes; what it does not print is missed.
func TestBenchmarksAreRead(t *testing.T) {
	decide, err := readCosts("goos: linux\nBenchmarkDecide/settled/100-2   \t 618\t   1937841 ns/op\t 1103449 B/op\t     614 allocs/op\nPASS\n", "Decide")
	if want := (cost{"settled", 100, 618, 1937841, 1103449, 614}); err != nil || len(decide) != 1 || decide[0] != want {
		t.Errorf("%+v, %v", decide, err)
	}
	pass, err := readCosts("BenchmarkPassAtRest/3_servers \t 93\t 12.5 ns/op\t 61 B/op\t 8660 allocs/op\n", "PassAtRest")
	if want := (cost{"", 3, 93, 12, 61, 8660}); err != nil || len(pass) != 1 || pass[0] != want {
		t.Errorf("%+v, %v", pass, err)
	}
	for _, text := range []string{"PASS\n", "BenchmarkDecide/settled/3-2 618 1937841 ns/op\n", "BenchmarkDecide/settled/x 1 1 ns/op 1 B/op 1 allocs/op\n"} {
		if got, err := readCosts(text, "Decide"); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
