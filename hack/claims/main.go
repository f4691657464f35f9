// Command claims proves docs/local-aws.md. A row of its tables is a statement about AWS; where the row says that the local AWS
// simulates it, and by which test that is shown, a file in switches has an edit that takes the behavior out of the code. The command
// makes each edit in an overlay of the compiler, so that no file changes, and sees the test fail.
//
//	go run ./hack/claims          every row: minutes
//	go run ./hack/claims A1       the rows whose id begins with A1
//	go run ./hack/claims -check   whether rows, switches, tests and knobs fit together: seconds
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway.dev/slipway/test/figures"
)

const (
	page     = "docs/local-aws.md"
	switches = "hack/claims/switches" // one file for each section of the page
	code     = "internal/localaws"
)

func main() {
	check := flag.Bool("check", false, "only check that rows, switches, tests and knobs fit together")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *check, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "claims:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, check bool, prefix string) error {
	rows, err := readRows(page)
	if err != nil {
		return err
	}
	edits, err := readAllEdits(switches)
	if err != nil {
		return err
	}
	if err := fit(rows, edits); err != nil || check {
		return err
	}
	edits = slices.DeleteFunc(edits, func(e edit) bool { return !strings.HasPrefix(e.claim, prefix) })
	binary, err := build(ctx, edits)
	if err != nil {
		return err
	}
	defer binary.remove()
	var report report
	if report.Provenance, err = figures.Here(); err != nil {
		return err
	}
	for i, e := range edits {
		began := time.Now()
		verdict := binary.try(ctx, e, strconv.Itoa(i))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Printf("%-8s %-60s %s (%.1f s)\n", e.claim, strings.Join(e.tests, " "), verdict, time.Since(began).Seconds())
		report.add(e, verdict)
	}
	return report.write(prefix)
}

// report is out/claims.json.
type report struct {
	figures.Provenance

	Switched int      `json:"switched_off"`
	Seen     int      `json:"seen_by_their_test"`
	Unseen   []string `json:"unseen"`
}

func (r *report) add(e edit, verdict string) {
	r.Switched++
	if verdict == seen {
		r.Seen++
		return
	}
	r.Unseen = append(r.Unseen, e.claim+": "+verdict)
}

// write keeps the report of a run over everything, and fails where a switch went unseen.
func (r *report) write(prefix string) error {
	if prefix == "" {
		if _, err := figures.Write(filepath.Join("out", "claims.json"), r); err != nil {
			return err
		}
	}
	fmt.Printf("%d behaviors were switched off, and %d seen by their test\n", r.Switched, r.Seen)
	if len(r.Unseen) > 0 {
		return fmt.Errorf("not seen:\n  %s", strings.Join(r.Unseen, "\n  "))
	}
	return nil
}
