package safety

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// report is out/safety.json.
type report struct {
	Commit  string  `json:"commit"`
	Date    string  `json:"date"`
	Cores   int     `json:"cores"`
	Seconds float64 `json:"seconds"`
	// Scenarios are those whose crash points were played.
	Scenarios int `json:"scenarios"`
	// PointsTotal is three times the calls in their traces; PointsRun are those of which one of their class was played: the
	// others leave the same behind (classes in crash.go).
	PointsTotal int `json:"points_total"`
	PointsRun   int `json:"points_run"`
	// Runs are all worlds that were played, the undisturbed ones included.
	Runs int `json:"runs"`
	// FaultCells are things that went wrong in a phase; of FaultCellsHit at least one call was hit, or the world was. FaultCellsIdle
	// were not played: the phase makes no such call.
	FaultCells     int `json:"fault_cells"`
	FaultCellsHit  int `json:"fault_cells_hit"`
	FaultCellsIdle int `json:"fault_cells_idle"`
	// Violations are runs that failed.
	Violations int      `json:"violations"`
	Failed     []string `json:"failed,omitempty"`

	mu    sync.Mutex
	began time.Time
}

// add changes the report.
func (r *report) add(change func(r *report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

// write keeps it as a file.
func (r *report) write(file string) error {
	commit, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		return err
	}
	r.Commit, r.Date, r.Cores = strings.TrimSpace(string(commit)), time.Now().UTC().Format(time.RFC3339), runtime.NumCPU()
	r.Seconds = time.Since(r.began).Seconds()
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
