package safety

import (
	"encoding/json"
	"errors"
	"os"
	"sync"
	"time"

	"slipway.dev/slipway/test/figures"
)

// report is out/safety.json.
type report struct {
	figures.Provenance

	// Seconds is how long all of it took, the worlds in real time included.
	Seconds float64 `json:"seconds"`
	// Scenarios are those whose crash points were played.
	Scenarios int `json:"scenarios"`
	// PointsTotal is three times the calls in their traces; PointsRun are those of which one of their class was played: the
	// others leave the same behind (classes in crash.go).
	PointsTotal int `json:"points_total"`
	PointsRun   int `json:"points_run"`
	// Runs are the worlds of crashes, cells, faults of Kubernetes and pairs that were played, the undisturbed ones included.
	Runs int `json:"runs"`
	// FaultCells are things that went wrong in a phase; of FaultCellsHit at least one call met it, or the world was hit. FaultCellsUnmet
	// are the others, by name. FaultCellsIdle were not played: the phase makes no such call.
	FaultCells      int      `json:"fault_cells"`
	FaultCellsHit   int      `json:"fault_cells_hit"`
	FaultCellsUnmet []string `json:"fault_cells_unmet"`
	FaultCellsIdle  int      `json:"fault_cells_idle"`
	// APIServerRuns are worlds in real time, on the real API server, with managers in processes of their own.
	APIServerRuns int `json:"api_server_runs"`
	// APIServerScenarios are those whose crash points were played so.
	APIServerScenarios int `json:"api_server_scenarios"`
	// APIServerPointsTotal is three times the calls in the traces of the scenarios that are played so; APIServerPointsRun are those
	// of which one of their class was played, and APIServerPointsMissed those of them that the run did not come to: it made fewer calls.
	APIServerPointsTotal  int `json:"api_server_points_total"`
	APIServerPointsRun    int `json:"api_server_points_run"`
	APIServerPointsMissed int `json:"api_server_points_missed"`
	// Handovers are those of two managers, by what happened to the first.
	Handovers map[string]*handovers `json:"handovers,omitempty"`
	// PathsReplayed are paths of the core's exploration that ended on the local AWS as in the model; PathsUnlike could not be walked
	// there.
	PathsReplayed int `json:"paths_replayed"`
	PathsUnlike   int `json:"paths_unlike"`
	// PairsRun are pairs of things that went wrong at once; of PairsHit both happened to something.
	PairsRun int `json:"pairs_run"`
	PairsHit int `json:"pairs_hit"`
	// KubeSteps are the steps of the scenarios at which something goes wrong with Kubernetes; KubeFaultsTotal are the faults at
	// each of them, KubeFaultsRun those that were played, and of KubeFaultsHit something was hit.
	KubeSteps       int `json:"kube_steps"`
	KubeFaultsTotal int `json:"kube_faults_total"`
	KubeFaultsRun   int `json:"kube_faults_run"`
	KubeFaultsHit   int `json:"kube_faults_hit"`
	// Lives are random worlds, and LifeSteps what happened in them, one thing after the other.
	// Of LivesManned a manager looked after the world, which can be killed at any call and whose view of Kubernetes can go wrong.
	Lives       int `json:"lives"`
	LivesManned int `json:"lives_manned"`
	LifeSteps   int `json:"life_steps"`
	// Fields are those of the two definitions that were changed there and back, but for FieldsFixed, of which the API refuses every
	// edit. Of the FieldEdits it refused some, and some are what the field was already.
	Fields            int `json:"fields"`
	FieldsFixed       int `json:"fields_fixed"`
	FieldEdits        int `json:"field_edits"`
	FieldEditsRefused int `json:"field_edits_refused"`
	FieldEditsIdle    int `json:"field_edits_idle"`
	// Violations are runs that failed.
	Violations int      `json:"violations"`
	Failed     []string `json:"failed"`

	mu    sync.Mutex
	began time.Time
}

// total are the figures of this run.
var total = report{began: time.Now()}

// add changes the report.
func (r *report) add(change func(r *report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

// join begins with what an earlier run wrote about the same commit: worlds in real time are a run of their own.
func (r *report) join(file string) error {
	here, err := figures.Here()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	earlier := report{}
	if err = errors.Join(err, json.Unmarshal(text, &earlier)); err != nil || earlier.Commit != here.Commit {
		return err
	}
	return json.Unmarshal(text, r)
}

// write puts it into a file, beside what other parts of `make safety` put there.
func (r *report) write(file string) (err error) {
	if r.Provenance, err = figures.Here(); err != nil {
		return err
	}
	r.Seconds += time.Since(r.began).Seconds()
	return figures.Add(file, r)
}

// handovers are the figures of one way to lose a leader, in seconds from its last call.
type handovers struct {
	Runs int `json:"runs"`
	// ToCall is to the first call of its successor that is about a Release, ToWrite to the first one that changes something: the
	// least and the most.
	ToCall  [2]float64 `json:"seconds_to_call"`
	ToWrite [2]float64 `json:"seconds_to_write"`
}

// note adds one.
func (f *handovers) note(h hand) {
	for _, of := range []struct {
		bounds *[2]float64
		took   time.Duration
	}{{&f.ToCall, h.toCall}, {&f.ToWrite, h.toWrite}} {
		if f.Runs == 0 {
			*of.bounds = [2]float64{of.took.Seconds(), of.took.Seconds()}
		}
		of.bounds[0], of.bounds[1] = min(of.bounds[0], of.took.Seconds()), max(of.bounds[1], of.took.Seconds())
	}
	f.Runs++
}

// noteHandover is called under add.
func (r *report) noteHandover(what string, h hand) {
	if r.Handovers == nil {
		r.Handovers = map[string]*handovers{}
	}
	if r.Handovers[what] == nil {
		r.Handovers[what] = &handovers{}
	}
	r.Handovers[what].note(h)
}
