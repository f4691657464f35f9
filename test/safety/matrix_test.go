//go:build !race

package safety

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"slipway.dev/slipway/test/e2e"
)

// TestFaultMatrix lets every call go wrong in every way, and the world too, in each phase.
func TestFaultMatrix(t *testing.T) {
	for _, p := range phases {
		if p.deep && !*deep {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			var called map[string]bool
			run(t, "undisturbed", "cell/"+p.name+"/nothing", func(t *testing.T) { called = p.usual(cellWorld(t, p, cell{name: "nothing"})) })
			for _, c := range cells() {
				if c.calls != "" && !called[c.calls] {
					total.add(func(r *report) { r.FaultCellsIdle++ })
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					if late(cellsShare) {
						return
					}
					hit := false
					run(t, "endured", "cell/"+p.name+"/"+c.name, func(t *testing.T) { hit = c.endure(cellWorld(t, p, c), p) })
					total.add(func(r *report) {
						r.FaultCells++
						if hit {
							r.FaultCellsHit++
						} else {
							r.FaultCellsUnmet = append(r.FaultCellsUnmet, p.name+"/"+c.name)
						}
					})
				})
			}
		})
	}
}

// A cell is hit where something met what went wrong, and not where it only was there: Live asks for no server, and ends none.
func TestHitsAreMet(t *testing.T) {
	for _, tc := range []struct {
		phase string
		cell  cell
		hit   bool
	}{
		{"Preview", quota, true},
		{"Live", quota, false},
		{"Complete", protected, true},
		{"Live", protected, false},
		{"Live", strangersComeAndGo, true},
		{"Live", ourMemberIsTaken, true},
		{"Live", watches("watches stand still", time.Minute, 0), true},
		{"Live", watches("watches are on time", 0, 0), false},
	} {
		t.Run(tc.phase+"/"+tc.cell.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if p := phaseNamed(tc.phase); tc.cell.endure(cellWorld(t, p, tc.cell), p) != tc.hit {
					t.Errorf("hit: %v", !tc.hit)
				}
			})
		})
	}
}

// Somebody who writes first is met where the process is told of a conflict, and not where it made something new.
func TestForestalledIsMetByAConflict(t *testing.T) {
	for code, want := range map[int]bool{http.StatusConflict: true, http.StatusCreated: false} {
		synctest.Test(t, func(t *testing.T) {
			f := forestalled()
			end := f.begin(cellWorld(t, phases[0], cell{name: f.name}))
			_, err := f.tap(e2e.Wire{}, func() (*http.Response, error) { return &http.Response{StatusCode: code}, nil }) //nolint:bodyclose // it has none
			if hit := end(); err != nil || hit != want {
				t.Errorf("hit: %v by the answer %d (%v)", hit, code, err)
			}
		})
	}
}

func cellWorld(t *testing.T, p phase, c cell) *e2e.World {
	return newWorld(t, p.name+"/"+c.name, e2e.Plain(), c.tap)
}

// The operations that go wrong are those that Slipway may call.
func TestOperationsAreThoseOfThePolicy(t *testing.T) {
	policy, err := os.ReadFile("../../config/iam/policy.json")
	if err != nil {
		t.Fatal(err)
	}
	var allowed struct{ Statement []struct{ Action any } }
	if err := json.Unmarshal(policy, &allowed); err != nil {
		t.Fatal(err)
	}
	ours := map[string]bool{}
	for _, o := range operations() {
		ours[o.action] = true
	}
	for _, statement := range allowed.Statement {
		for _, action := range regexp.MustCompile(`\w+:\w+`).FindAllString(fmt.Sprint(statement.Action), -1) {
			if _, name, _ := strings.Cut(action, ":"); !ours[name] && !elsewhere[name] {
				t.Errorf("%s is allowed, and never goes wrong", action)
			}
		}
	}
}

// elsewhere are no calls to this account (a right to pass a role on, and the way into another account), what the doctor alone asks, which
// no deploy waits for, and those to a queue of events, which nothing waits for: TestWhateverGoesWrongWithAQueue of internal/awscloud.
var elsewhere = map[string]bool{
	"PassRole": true, "AssumeRole": true, "DescribeTags": true, "DescribeAccountLimits": true,
	"GetQueueUrl": true, "ReceiveMessage": true, "DeleteMessage": true,
}
