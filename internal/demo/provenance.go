package demo

import (
	"runtime"
	"runtime/debug"
	"time"
)

// Provenance says what was measured, when, and on what, in the words of the benchmarks' reports.
type Provenance struct {
	// Commit is the short hash that the program was built from, with -dirty where the tree had changes; else the program's version, as
	// Go knows it.
	Commit string `json:"commit"`
	// Date is in RFC 3339, UTC.
	Date  string `json:"date"`
	Go    string `json:"go"`
	Cores int    `json:"cores"`
}

// provenance is that of what a program measures now. The commit is the program's own: the demo may be run in any folder, also in another
// repository.
func provenance(program *debug.BuildInfo, now time.Time) Provenance {
	settings := map[string]string{}
	for _, s := range program.Settings {
		settings[s.Key] = s.Value
	}
	commit := settings["vcs.revision"]
	switch {
	case commit == "":
		commit = program.Main.Version
	case settings["vcs.modified"] == "true":
		commit = commit[:min(12, len(commit))] + "-dirty"
	default:
		commit = commit[:min(12, len(commit))]
	}
	return Provenance{commit, now.UTC().Format(time.RFC3339), runtime.Version(), runtime.NumCPU()}
}

// here is the provenance of what this program measures now.
func here() Provenance {
	program, ok := debug.ReadBuildInfo()
	if !ok {
		program = &debug.BuildInfo{Main: debug.Module{Version: "unknown"}}
	}
	return provenance(program, time.Now())
}
