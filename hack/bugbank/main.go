// Command bugbank proves that the tests find bugs. Each patch in test/safety/bugs puts one into the product: known from other systems,
// or likely here. The command compiles the product with it, in an overlay, so that no file changes, runs the tests that the patch
// names, and requires that they fail by an assertion about the world or a law, and that they were not written for it.
//
//	go run ./hack/bugbank             every patch; writes out/bugbank.json
//	go run ./hack/bugbank -gate       those that say "Gate: yes"
//	go run ./hack/bugbank 07 duplicate   those with one of the words in the name of their file
//	go run ./hack/bugbank -check      whether all patches apply and compile
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const folder = "test/safety/bugs"

func main() {
	var o options
	flag.BoolVar(&o.check, "check", false, "only check that the patches apply and compile")
	flag.BoolVar(&o.gate, "gate", false, "only those for every change")
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
	words       []string
}

func (o options) chooses(b bug) bool {
	named := len(o.words) == 0 || slices.ContainsFunc(o.words, func(word string) bool { return strings.Contains(filepath.Base(b.file), word) })
	return named && (b.gate || !o.gate)
}

// report is out/bugbank.json.
type report struct {
	Commit   string            `json:"commit"`
	Date     string            `json:"date"`
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
	for _, b := range bugs {
		if !o.chooses(b) {
			continue
		}
		started := time.Now()
		by, err := b.kill(ctx, o.check)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		name := strings.TrimSuffix(filepath.Base(b.file), ".patch")
		r.Seeded++
		if err != nil {
			by = "SURVIVES: " + err.Error()
			r.Survived = append(r.Survived, name)
		} else {
			r.Killed++
			r.KilledBy[name] = by
		}
		fmt.Printf("%-44s %s (%.0f s)\n", name, by, time.Since(started).Seconds())
	}
	r.Seconds = time.Since(began).Seconds()
	if o.check {
		return r.verdict()
	}
	if err := r.write(ctx); err != nil {
		return err
	}
	return r.verdict()
}

func (r report) verdict() error {
	fmt.Printf("%d of %d\n", r.Killed, r.Seeded)
	if len(r.Survived) > 0 || r.Seeded == 0 {
		return fmt.Errorf("%d bugs survive, of %d: %s", len(r.Survived), r.Seeded, strings.Join(r.Survived, ", "))
	}
	return nil
}

func (r report) write(ctx context.Context) error {
	commit, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		return err
	}
	r.Commit, r.Date = strings.TrimSpace(string(commit)), time.Now().UTC().Format(time.RFC3339)
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll("out", 0o755); err != nil {
		return err
	}
	return os.WriteFile("out/bugbank.json", append(text, '\n'), 0o644)
}
