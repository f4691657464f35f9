// Command bugbank proves that the tests find bugs. Each patch in test/safety/bugs puts one into the product: known from other systems,
// or likely here. The command compiles the product with it, in an overlay, so that no file changes, runs the tests that the patch
// names, and requires that they fail by an assertion about the world or a law, and that they were not written for it. Tests that do not
// end find nothing.
//
//	go run ./hack/bugbank             every patch; writes out/bugbank.json
//	go run ./hack/bugbank -gate       those that say "Gate: yes"
//	go run ./hack/bugbank 07 duplicate   those with one of the words in the name of their file
//	go run ./hack/bugbank -check      only whether all patches apply
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway.dev/slipway/test/figures"
)

const folder = "test/safety/bugs"

func main() {
	var o options
	flag.BoolVar(&o.check, "check", false, "only check that the patches apply")
	flag.BoolVar(&o.gate, "gate", false, "only those for every change")
	flag.StringVar(&o.addTo, "report", "", "report of make safety that the figures are added to")
	flag.IntVar(&o.parallel, "parallel", 2, "how many at a time")
	flag.Parse()
	o.words = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bugbank:", err)
		os.Exit(1)
	}
}

type options struct {
	check, gate bool
	parallel    int
	addTo       string
	words       []string
}

func (o options) chooses(b bug) bool {
	named := len(o.words) == 0 || slices.ContainsFunc(o.words, func(word string) bool { return strings.Contains(filepath.Base(b.file), word) })
	return named && (b.gate || !o.gate)
}

// report is out/bugbank.json.
type report struct {
	mu sync.Mutex
	figures.Provenance

	Seconds  float64           `json:"seconds"`
	Seeded   int               `json:"seeded"`
	Killed   int               `json:"killed"`
	KilledBy map[string]string `json:"killed_by"`
	Survived []string          `json:"survived"`
}

func run(ctx context.Context, o options) error {
	bugs, err := readBugs(folder)
	if err != nil {
		return err
	}
	began := time.Now()
	r := report{KilledBy: map[string]string{}, Survived: []string{}}
	var group errgroup.Group
	group.SetLimit(o.parallel)
	for _, b := range slices.DeleteFunc(bugs, func(b bug) bool { return !o.chooses(b) }) {
		group.Go(func() error {
			started := time.Now()
			by, err := b.kill(ctx, o.check)
			r.add(b, by, err, time.Since(started))
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	slices.Sort(r.Survived)
	r.Seconds = time.Since(began).Seconds()
	if o.check {
		return r.verdict()
	}
	if err := r.write(o.addTo); err != nil {
		return err
	}
	return r.verdict()
}

// add notes what became of a bug, and tells it.
func (r *report) add(b bug, by string, err error, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := strings.TrimSuffix(filepath.Base(b.file), ".patch")
	r.Seeded++
	if err != nil {
		by = "SURVIVES: " + err.Error()
		r.Survived = append(r.Survived, name)
	} else {
		r.Killed++
		r.KilledBy[name] = by
	}
	fmt.Printf("%-44s %s (%.0f s)\n", name, by, took.Seconds())
}

func (r *report) verdict() error {
	fmt.Printf("%d of %d\n", r.Killed, r.Seeded)
	if len(r.Survived) > 0 || r.Seeded == 0 {
		return fmt.Errorf("%d bugs survive, of %d: %s", len(r.Survived), r.Seeded, strings.Join(r.Survived, ", "))
	}
	return nil
}

func (r *report) write(addTo string) (err error) {
	if r.Provenance, err = figures.Here(); err != nil {
		return err
	}
	if _, err = figures.Write(filepath.Join("out", "bugbank.json"), r); err != nil || addTo == "" {
		return err
	}
	return figures.Add(addTo, map[string]any{"bugbank": map[string]int{"seeded": r.Seeded, "killed": r.Killed}})
}
