// Command kubectl-slipway is Slipway's command line: `kubectl slipway` where it is on the PATH.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// Exit statuses beside 0.
const (
	exitFailed      = 1
	exitInterrupted = 128 + int(syscall.SIGINT) // as of a shell's command that was interrupted
)

// run gives the exit status. The first Ctrl-C, request to end or closed terminal ends the context, so that everything is
// put away in order; the second ends the process at once.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, func() {
		stop()
		if cause := context.Cause(ctx); cause != context.Canceled { //nolint:errorlint // a signal's cause is another error that is one
			fmt.Fprintf(os.Stderr, "\n%s: ending everything in order (Ctrl-C again ends it at once)\n", cause)
		}
	})
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "kubectl slipway:", err)
		return exitInterrupted
	}
	fmt.Fprintln(os.Stderr, "kubectl slipway:", err)
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "kubectl-slipway",
		Short:         "Blue/green deploys on plain EC2",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl slipway"},
		SilenceUsage:  true,
		SilenceErrors: true, // run prints them
	}
	root.AddCommand(newLocal(), newVersion())
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this program is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			version := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
				version = info.Main.Version // a tag, or a time and a commit, as Go wrote it into the program
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version)
			return err
		},
	}
}
