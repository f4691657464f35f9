// Command kubectl-slipway is Slipway's command line: `kubectl slipway` where it is on the PATH.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"slipway.dev/slipway/internal/cli"
)

func main() {
	os.Exit(run(arguments(os.Args)))
}

// completer is what kubectl runs to complete a line that begins with `kubectl slipway`: `make plugin` makes it a link to this program.
// https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/
const completer = "kubectl_complete-slipway"

// arguments are those of the command line; under the completer's name, of a request for completions.
func arguments(argv []string) []string {
	if filepath.Base(argv[0]) == completer {
		return append([]string{cobra.ShellCompRequestCmd}, argv[1:]...)
	}
	return argv[1:]
}

// exitInterrupted is the exit status of a command that was interrupted, as a shell has it. Package cli has the others.
const exitInterrupted = 128 + int(syscall.SIGINT)

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
	return cli.ExitCode(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "kubectl-slipway",
		Short:         "Blue/green deploys on plain EC2",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl slipway"},
		SilenceUsage:  true,
		SilenceErrors: true, // run prints them
	}
	root.AddCommand(newLocal())
	options := cli.NewOptions(genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr})
	options.Build = build()
	cli.Setup(root, options)
	return root
}

// build is the version of this program: a tag, or a time and a commit, as Go wrote it into the program.
func build() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
