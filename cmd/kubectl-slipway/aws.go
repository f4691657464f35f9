package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/localaws"
)

// awsFlags are those of `local aws` itself.
type awsFlags struct {
	listen     string
	speed      float64
	limits     string
	noLimits   bool
	latency    time.Duration
	faults     []string
	knobs      []string
	seed       int64
	load, save string
	dataPlane  bool
	world      string
	quiet      bool
}

func newAWS() *cobra.Command {
	var f awsFlags
	cmd := &cobra.Command{
		Use:   "aws",
		Short: "A local AWS alone, with a log of every call, until Ctrl-C",
		Long: `A local AWS alone, on loopback: EC2, classic, Application and Network Load Balancers, SSM
parameters, STS, CloudWatch alarms and an SQS queue of EC2's events, with the real wire protocols,
so that the aws command line and any SDK work against it. Servers boot, fail and answer, health
checks run, targets drain and calls are throttled, over time, as in AWS; with --data-plane each
server and each listener of a load balancer is a real one, on a port of its own. It prints what to
paste into another shell, and then one line for each call and for each change in its world. What it
does not simulate it refuses by name.

The other commands here look at one that runs and change it; they find it by AWS_ENDPOINT_URL,
which the pasted block sets, and work with the one of kubectl slipway local up as well.`,
		Example: `  # a minute of AWS's time each second, and the same world again next time
  kubectl slipway local aws --speed 60 --seed 42 --listen 127.0.0.1:4566

  # an AWS in a bad mood: 300 ms a call, and every tenth launch fails after it took effect
  kubectl slipway local aws --latency 300ms --fault 'ec2:RunInstances p=0.1 after=500:InternalError'

  # go on tomorrow where today ended
  kubectl slipway local aws --save world.json
  kubectl slipway local aws --load world.json

  # in the other shell
  kubectl slipway local aws status -w`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return serveAWS(cmd.Context(), f, cmd.OutOrStdout())
		},
	}
	f.add(cmd)
	cmd.AddCommand(newAWSStatus(), newAWSLog(), newAWSReset(), newAWSSave(), newAWSLoad(), newAWSFault(), newAWSKnob())
	return cmd
}

func (f *awsFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:0", "the address of the endpoint; port 0 is a free one")
	flags.Float64Var(&f.speed, "speed", 1, "how many times as fast as the wall clock its time passes: 60 is a minute a second")
	flags.StringVar(&f.limits, "limits", "", "AWS's request limits: documented; raised, with the larger ones of load balancing; or off\n"+
		"(default documented, or those of the world that is loaded)")
	flags.BoolVar(&f.noLimits, "no-limits", false, "the same as --limits=off")
	flags.DurationVar(&f.latency, "latency", 0, "how long each call takes, on its clock")
	flags.StringArrayVar(&f.faults, "fault", nil, "something that goes wrong, such as 'ec2:RunInstances count=1 before=500:InternalError';\n"+
		"may be repeated (kubectl slipway local aws fault add --help)")
	flags.StringArrayVar(&f.knobs, "knob", nil, "a delay or a choice, name=value, such as HealthLag=5s..10s; may be repeated\n"+
		"(kubectl slipway local aws knob lists them)")
	flags.Int64Var(&f.seed, "seed", 0, "what ids and random delays are drawn by, to see them again; 0 picks one")
	flags.StringVar(&f.load, "load", "", "the `file` of a saved world to go on with")
	flags.StringVar(&f.save, "save", "", "the `file` to save the world to at the end")
	flags.BoolVar(&f.dataPlane, "data-plane", true, "make servers and listeners of load balancers real ones, on loopback")
	flags.StringVar(&f.world, "world", "default", "what there is at the start: default, a network, images, a key pair and a profile; or empty")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print no log")
	cmd.MarkFlagsMutuallyExclusive("limits", "no-limits")
}

// check refuses what cannot be, before anything is started.
func (f *awsFlags) check() error {
	switch {
	case f.speed <= 0:
		return fmt.Errorf("--speed %v: it must be more than 0; 1 is real time", f.speed)
	case f.world != worldDefault && f.world != worldEmpty:
		return fmt.Errorf("--world %s: it is %s or %s", f.world, worldDefault, worldEmpty)
	case f.latency < 0:
		return fmt.Errorf("--latency %s: it cannot be negative", f.latency)
	}
	if _, err := f.settings(); err != nil {
		return err
	}
	for _, text := range f.faults {
		if _, err := localaws.ParseFault(text); err != nil {
			return fmt.Errorf("--fault: %w", err)
		}
	}
	return nil
}

// The worlds to begin with.
const (
	worldDefault = "default"
	worldEmpty   = "empty"
)

// settings are the knobs that the flags ask for, in the order in which they count.
func (f *awsFlags) settings() ([]localaws.KnobSetting, error) {
	limits := f.limits
	switch {
	case f.noLimits:
		limits = "off"
	case limits == "" && f.load == "":
		limits = "documented"
	}
	known := map[string][2]string{"documented": {"true", "false"}, "raised": {"true", "true"}, "off": {"false", "false"}}
	values, ok := known[limits]
	if !ok && limits != "" {
		return nil, fmt.Errorf("--limits %s: they are documented, raised or off", limits)
	}
	var out []localaws.KnobSetting
	if ok {
		out = append(out, localaws.KnobSetting{Name: "Throttle", Value: values[0]}, localaws.KnobSetting{Name: "LargerELBReads", Value: values[1]})
	}
	if f.latency > 0 {
		out = append(out, localaws.KnobSetting{Name: "Latency", Value: f.latency.String()})
	}
	asked, err := readKnobs(f.knobs)
	if err != nil {
		return nil, fmt.Errorf("--knob: %w", err)
	}
	return append(out, asked...), nil
}

// readKnobs reads name=value, and tells of knobs that there are not.
func readKnobs(texts []string) ([]localaws.KnobSetting, error) {
	var out []localaws.KnobSetting
	probe := localaws.DefaultKnobs()
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("%q is no name=value, such as HealthLag=5s", text)
		}
		if err := probe.Set(name, value); err != nil {
			return nil, err
		}
		out = append(out, localaws.KnobSetting{Name: name, Value: value})
	}
	return out, nil
}

// errNobody is why there is nothing to show: no local AWS answers.
var errNobody = errors.New("start one with `kubectl slipway local aws`, paste what it prints, or say with --endpoint where it is")
