package safety

import (
	"sync"
	"time"

	"slipway.dev/slipway/test/figures"
)

// report is out/safety.json.
type report struct {
	figures.Provenance

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
func (r *report) write(file string) (err error) {
	if r.Provenance, err = figures.Here(); err != nil {
		return err
	}
	r.Seconds = time.Since(r.began).Seconds()
	_, err = figures.Write(file, r)
	return err
}
