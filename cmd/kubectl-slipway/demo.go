package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/demo"
	"slipway.dev/slipway/internal/playground"
)

func newDemo() *cobra.Command {
	var flags localFlags
	report := "out/demo.json"
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Deploy, roll back and deploy again, under traffic, and measure it",
		Long: `Deploys two versions of an application to a local AWS, under steady traffic: version 1 to
Complete, version 2 to Preview, Live, RolledBack, Live and Complete. It tells what happens,
ends with a table and writes the same to a file. The exit status is 0 if no request failed,
every figure is within its goal, and the world was put away in order.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// A report of an earlier run must not be taken for this one's.
			if err := os.Remove(report); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			out := cmd.OutOrStdout()
			o, err := flags.options(out)
			if err != nil {
				return err
			}
			// What is built once takes its time once: the demo's own time begins after it.
			if err := playground.Prepare(cmd.Context(), o); err != nil {
				return err
			}
			result, log, err := runDemo(cmd.Context(), o, out)
			if err != nil {
				return err
			}
			return conclude(out, result, report, log)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&report, "report", report, "the file to write the figures to, as JSON")
	return cmd
}

// runDemo plays the demo in a world of its own and puts that away, which is part of what is judged. The manager's log goes
// with the world, so that it is given here.
func runDemo(ctx context.Context, o playground.Options, out io.Writer) (result *demo.Report, log []byte, err error) {
	began := time.Now()
	world, err := playground.Start(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	writeSettings(out, o.Seed)
	result, err = demo.Run(ctx, world, out)
	if err != nil {
		return nil, nil, stopped(world, err)
	}
	result.Settings["seed"] = o.Seed
	log, err = os.ReadFile(world.ManagerLog)
	result.Finish(time.Since(began), stopped(world, err))
	return result, log, nil
}

func writeSettings(out io.Writer, seed int64) {
	fmt.Fprintln(out, "\nsettings, of load balancers and of the local AWS:")
	for _, s := range playground.Settings() {
		fmt.Fprintf(out, "  %-34s %s\n", s.Name, s.Value)
	}
	fmt.Fprintf(out, "  %-34s %d (--seed)\n", "seed", seed)
}

// conclude prints and writes the finished report. Where it is not good, the manager's log is kept beside it.
func conclude(out io.Writer, result *demo.Report, report string, log []byte) error {
	result.WriteTable(out)
	if err := result.WriteFile(report); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	fmt.Fprintln(out, "the same in", report)
	if result.OK {
		return nil
	}
	kept := report + ".manager.log"
	err := os.WriteFile(kept, log, 0o644)
	return errors.Join(fmt.Errorf("the demo did not hold what it should: see FAILED above, and the manager's log in %s", kept), err)
}
