package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/playground"
)

func newUp() *cobra.Command {
	var flags localFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run it for you to try, until Ctrl-C",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			out := cmd.OutOrStdout()
			o, err := flags.options(out)
			if err != nil {
				return err
			}
			world, err := playground.Start(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer func() { err = stopped(world, err) }()
			end, err := begun(world)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, end()) }()
			fmt.Fprint(out, welcome(world))
			return stay(cmd.Context(), world, out)
		},
	}
	flags.add(cmd)
	return cmd
}

// begun is called when a world is there, and what it gives before the world is put away: so tests look on.
var begun = func(*playground.World) (end func() error, err error) { return func() error { return nil }, nil }

// stay tells what happens until Ctrl-C, which is how this ends well, or until the manager is gone, which is not.
func stay(ctx context.Context, world *playground.World, out io.Writer) error {
	following, end := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		world.FollowAndForget(following, func(l playground.Line) {
			fmt.Fprintf(out, "%s  %-8s %s\n", l.At.Local().Format(time.TimeOnly), l.Who, l.Text)
		})
	}()
	defer func() { end(); <-told }()
	select {
	case <-ctx.Done():
		return nil
	case <-world.ManagerEnded():
		return world.ManagerError()
	}
}

// welcome is what a person needs: a block for their shell, and things to try there.
func welcome(world *playground.World) string {
	urls := world.AWS.Endpoints()
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("\nSlipway is up. Paste this into another shell (bash or zsh):\n")
	for _, l := range block(world) {
		line("    %s", l)
	}
	line("\nThe load balancers; nobody is behind them yet (curl gets 503):\n")
	line("    $TEST  %s  %s, where a new version is looked at", urls[playground.TestClassic], playground.TestClassic)
	line("    $EDGE  %s  %s, which serves users", urls[playground.ProductionClassic], playground.ProductionClassic)
	line("    $API   %s  %s, with the target group %s, which serves users too",
		urls[playground.ProductionALB], playground.ProductionALB, playground.ProductionGroup)
	line("\nEach of these is a load balancer's name, which gives every new connection the next of its nodes, one a zone:\n")
	for _, name := range slices.Sorted(maps.Keys(urls)) {
		if listener, zone, isNode := strings.Cut(name, "@"); isNode {
			line("    %s  %s in %s", urls[name], listener, zone)
		}
	}
	line("\nThree things to try there:\n")
	line("  1. Show version 1 on the test load balancer:\n")
	line("    kubectl apply -f %s", quote(world.Sample("release-v1.yaml")))
	line("    kubectl wait rel/web --for=condition=PreviewReady --timeout=2m")
	line("    curl $TEST")
	line("\n  2. Let it serve users (in a third shell, kubectl get rel -w shows it happen):\n")
	line("    kubectl patch rel/web --type merge -p '{\"spec\":{\"phase\":\"Live\",\"phaseFor\":\"v1\"}}'")
	line("    kubectl wait rel/web --for=condition=Promoted --timeout=2m")
	line("    curl $EDGE $API")
	line("\n  3. See what AWS thinks of that:\n")
	line("    aws elb describe-instance-health --load-balancer-name %s", playground.ProductionClassic)
	line("    aws ec2 describe-instances --query 'Reservations[].Instances[].[InstanceId,State.Name,ImageId]' --output text")
	line("\nThen: kubectl apply -f %s is the next version. kubectl explain release.spec is the manual.", quote(world.Sample("release-v2.yaml")))
	line("The definitions and a default ReleaseClass are applied (kubectl get releaseclass).")
	line("The manager logs to %s; its metrics are at %s.", world.ManagerLog, world.MetricsURL)
	line("\nCtrl-C ends it and leaves nothing behind. What happens in AWS until then:\n")
	return b.String()
}

// block are the lines for the shell: those of the local AWS, and the cluster's.
func block(world *playground.World) []string {
	urls := world.AWS.Endpoints()
	cache := filepath.Join(filepath.Dir(world.Plane.KubeconfigPath), "kubectl-cache")   // goes with the world
	path := append([]string{filepath.Dir(world.Plane.KubectlPath)}, programFolder()...) // for kubectl slipway
	return append(awsBlock(world.Endpoint, world.Region),
		"export KUBECONFIG="+quote(world.Plane.KubeconfigPath)+" KUBECACHEDIR="+quote(cache),
		pathLine(path...),
		fmt.Sprintf("export TEST=%s EDGE=%s API=%s", urls[playground.TestClassic], urls[playground.ProductionClassic], urls[playground.ProductionALB]),
	)
}

// plain is a text that the shell takes for one word as it is.
var plain = regexp.MustCompile(`^[A-Za-z0-9_/.:@%+=,-]+$`)

// quote makes one word of a text for the shell.
func quote(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
