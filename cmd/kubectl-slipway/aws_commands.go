package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/localaws"
)

func newAWSReset() *cobra.Command {
	var admin awsAdmin
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Put a local AWS back to how it was at its start, without faults",
		Long: `Puts a local AWS back to how it was at its start: what was made since is gone, what was deleted
is there again, and faults end. Load balancers that were there keep their ports.`,
		Example: `  kubectl slipway local aws reset`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := admin.ask(cmd.Context(), http.MethodPost, "reset", "")
			return say(cmd, err, "The local AWS is as it was at its start.")
		},
	}
	admin.add(cmd)
	return cmd
}

// say prints what was done, if it was.
func say(cmd *cobra.Command, err error, format string, args ...any) error {
	if err == nil {
		fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...)
	}
	return err
}

func newAWSSave() *cobra.Command {
	var admin awsAdmin
	cmd := &cobra.Command{
		Use:   "save FILE",
		Short: "Save the world of a local AWS, with all that is under way",
		Long: `Saves the world of a local AWS to a file, as JSON: all that exists, and what is under way with
the time that it still takes. Connections and ports are not in it. The file has user data
and secure parameters in the clear, so that only you may read it.`,
		Example: `  kubectl slipway local aws save before.json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := admin.do(cmd.Context(), http.MethodGet, "save", nil)
			if err != nil {
				return err
			}
			defer func() { _ = answer.Body.Close() }()
			err = writeWorld(args[0], func(w io.Writer) error {
				_, err := io.Copy(w, answer.Body)
				return err
			})
			return say(cmd, err, "The world is in %s.", args[0])
		},
	}
	admin.add(cmd)
	return cmd
}

func newAWSLoad() *cobra.Command {
	var admin awsAdmin
	cmd := &cobra.Command{
		Use:   "load FILE",
		Short: "Put a saved world in the place of that of a local AWS",
		Long: `Puts a saved world in the place of that of a local AWS. It goes on as if time had stood still
since it was saved. Its faults take the place of those in force.`,
		Example: `  kubectl slipway local aws load before.json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := readWorld(args[0], func(r io.Reader) error {
				answer, err := admin.do(cmd.Context(), http.MethodPost, "load", r)
				if err != nil {
					return err
				}
				return answer.Body.Close()
			})
			return say(cmd, err, "The world of %s goes on.", args[0])
		},
	}
	admin.add(cmd)
	return cmd
}

func newAWSFault() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fault",
		Short: "Let things go wrong in a local AWS",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAWSFaultAdd(), newAWSFaultList(), newAWSFaultRemove())
	return cmd
}

func newAWSFaultAdd() *cobra.Command {
	var admin awsAdmin
	cmd := &cobra.Command{
		Use:   "add FAULT",
		Short: "Let something go wrong from now on",
		Long: `Lets something go wrong from now on. A fault of calls begins with SERVICE:ACTION, both of which
may have wildcards; services are ec2, elb (classic), elbv2, ssm, sts, cloudwatch and sqs. Then comes
which calls:

  resource=PATTERN  between=A..B  skip=N  count=N  p=PROBABILITY

and what happens to them:

  delay=D  hang  before=ERROR               before the effect
  young=D  stale=D  missing=PATTERN         what they do not see, or see of old
  launch=boot=never  twice                  of servers that they launch
  after=ERROR  delay-reply=D  hang-reply  lose-reply   after the effect

ERROR is STATUS, CODE, STATUS:CODE or STATUS:CODE:MESSAGE. A fault of the world begins with what it
happens to:

  server PATTERN kill|shutdown|impair
  server PATTERN answer=STATUS|refused|hang|unreachable
  server PATTERN flap=PERIOD [status=STATUS]
  balancer PATTERN vanish|shift=ZONE
  pool PATTERN vanish
  zone PATTERN out|full=TYPES [room=N]
  key PATTERN expire
  clock skew=D

and may say when: after=D  on=SERVICE:ACTION  skip=N  count=N  back=D`,
		Example: `  kubectl slipway local aws fault add ec2:RunInstances count=1 before=500:InternalError
  kubectl slipway local aws fault add 'elbv2:Describe* p=0.05 delay=2s'
  kubectl slipway local aws fault add server 'i-*' count=1 flap=10s
  kubectl slipway local aws fault add zone us-east-1a out back=5m`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			fault, err := localaws.ParseFault(strings.Join(args, " "))
			if err != nil {
				return err
			}
			_, err = admin.ask(cmd.Context(), http.MethodPost, "faults", fault.String())
			return say(cmd, err, "In force: %s", fault)
		},
	}
	admin.add(cmd)
	return cmd
}

func newAWSFaultList() *cobra.Command {
	var admin awsAdmin
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the faults in force, and how often each happened",
		Example: `  kubectl slipway local aws fault list`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := admin.state(cmd.Context())
			if err != nil {
				return err
			}
			writeFaults(cmd.OutOrStdout(), s.Faults)
			return nil
		},
	}
	admin.add(cmd)
	return cmd
}

func writeFaults(out io.Writer, faults []localaws.FaultState) {
	if len(faults) == 0 {
		fmt.Fprintln(out, "No fault is in force.")
		return
	}
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "HAPPENED\tFAULT")
	for _, f := range faults {
		fmt.Fprintf(t, "%d\t%s\n", f.Hits, f.Text)
	}
	_ = t.Flush() // to where all else is printed
}

func newAWSFaultRemove() *cobra.Command {
	var admin awsAdmin
	var all bool
	cmd := &cobra.Command{
		Use:   "remove FAULT",
		Short: "End a fault that is in force, or all",
		Example: `  kubectl slipway local aws fault remove zone us-east-1a out back=5m
  kubectl slipway local aws fault remove --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return errors.New("say which fault, as `kubectl slipway local aws fault list` writes it, or --all")
			}
			_, err := admin.ask(cmd.Context(), http.MethodDelete, "faults", strings.Join(args, " "))
			return say(cmd, err, "It is over.")
		},
	}
	admin.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "end all of them")
	return cmd
}

func newAWSKnob() *cobra.Command {
	var admin awsAdmin
	cmd := &cobra.Command{
		Use:   "knob [NAME | NAME=VALUE]...",
		Short: "List the delays and choices of a local AWS, say what one is for, or change some",
		Long: `Lists the knobs of a local AWS, which are its delays and what AWS's documentation leaves open; or
changes those that are named. A value is a time (5s), a span of times that each delay is drawn from
(5s..30s), or true or false. Delays that have begun keep their length. A name alone is answered with
what the knob is for and where its default comes from.`,
		Example: `  kubectl slipway local aws knob
  kubectl slipway local aws knob HealthLag
  kubectl slipway local aws knob HealthLag=5s..10s LaunchVisible=8s`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				text, err := admin.ask(cmd.Context(), http.MethodGet, "knobs", "")
				fmt.Fprint(cmd.OutOrStdout(), text)
				return err
			}
			if !strings.Contains(strings.Join(args, ""), "=") {
				return explainKnobs(cmd.OutOrStdout(), args)
			}
			_, err := admin.ask(cmd.Context(), http.MethodPost, "knobs", strings.Join(args, "\n"))
			return say(cmd, err, "Set.")
		},
	}
	admin.add(cmd)
	return cmd
}

// explainKnobs needs no world: what a knob is for is in the program.
func explainKnobs(out io.Writer, names []string) error {
	for _, name := range names {
		full, meaning, err := localaws.KnobMeaning(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %s\n", full, meaning)
	}
	return nil
}

func newAWSLog() *cobra.Command {
	var admin awsAdmin
	var tail uint64
	follow := true
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Show the calls to a local AWS and what happens in it",
		Long: `Shows the calls to a local AWS and what happens in it, one a line: when, who, the service, the
operation with its parameters, and its effect (→) or AWS's error (✗). Calls that only read have no
effect. It goes on until Ctrl-C.`,
		Example: `  kubectl slipway local aws log
  kubectl slipway local aws log --tail 200 --follow=false | grep RunInstances`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := admin.state(cmd.Context())
			if err != nil {
				return err
			}
			log := newAWSLogger(cmd.OutOrStdout())
			return admin.follow(cmd.Context(), s.LastSeq-min(tail, s.LastSeq), follow, log.print)
		},
	}
	admin.add(cmd)
	cmd.Flags().Uint64Var(&tail, "tail", 20, "how many of the lines so far to show first")
	cmd.Flags().BoolVarP(&follow, "follow", "f", true, "go on with what happens")
	return cmd
}
