//go:build !race

package safety

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/test/e2e"
	"slipway.dev/slipway/test/kubestore"
)

// The sample is written by go test ./internal/rollout -run TestPaths -rollout.paths=$PWD/test/safety/testdata/paths.json -rollout.pathcount=40
var (
	pathsFile = flag.String("safety.paths", "testdata/paths.json", "paths that go test ./internal/rollout -rollout.paths wrote")
	pathCount = flag.Int("safety.pathcount", 30, "how many of them to walk")
)

// TestPaths walks paths of the model of internal/rollout's exploration on the local AWS, with the controller around the core: both
// worlds end alike.
func TestPaths(t *testing.T) {
	walked, unlikes := 0, 0
	for _, p := range readPaths(t, *pathsFile) {
		if walked == *pathCount {
			break
		}
		name := fmt.Sprintf("%s/%d", p.World, p.Seed)
		var why error
		ok := t.Run(name, func(t *testing.T) { why = walkOne(t, p) })
		total.add(func(r *report) {
			switch {
			case !ok:
				r.Violations++
				r.Failed = append(r.Failed, "path/"+name)
			case why == nil:
				r.PathsReplayed++
			default:
				r.PathsUnlike++
			}
		})
		if why != nil {
			unlikes++
			t.Logf("%s cannot be walked: %v", name, why)
			continue
		}
		walked++
	}
	t.Logf("%d paths were walked, %d cannot be", walked, unlikes)
	if walked < *pathCount || unlikes > *pathCount/5 {
		t.Errorf("of %d paths %d can be walked, and %d cannot", *pathCount, walked, unlikes)
	}
}

func readPaths(t *testing.T, file string) []path {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var paths []path
	if err := json.Unmarshal(text, &paths); err != nil {
		t.Fatal(err)
	}
	return paths
}

// walkOne walks a path. The error says why it cannot be walked.
func walkOne(t *testing.T, p path) error {
	clock := localaws.NewVirtualClock(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	store, err := kubestore.New(operator.Scheme(), "../../config/crd/bases", clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	temper := e2e.Plain()
	temper.Tune = func(k *localaws.Knobs) { k.PendingMin, k.PendingMax = 8*time.Second, 8*time.Second }
	w := e2e.NewWorldUnder(named{t, "path"}, store, clock, temper)
	end, err := walkPath(w, p)
	if _, cannot := errors.AsType[unlike](err); cannot {
		return err
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := differ(p.End, end, true); diff != "" {
		t.Errorf("%s\n%s\nagain: make repro SEED='path/%s/%d'", diff, w.Story(), p.World, p.Seed)
	}
	return nil
}
