package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/localaws"
)

func newAWSStatus() *cobra.Command {
	var admin awsAdmin
	var output string
	var watch bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the instances, pools with their health, and load balancers of a local AWS",
		Long: `Shows what there is in a local AWS: its instances and what their applications answer; its pools,
each member with its health and the reason in AWS's own words; its load balancers with the URLs at
which they answer; and the faults in force. This is the truth, which the calls of AWS may trail.`,
		Example: `  kubectl slipway local aws status
  kubectl slipway local aws status -w
  kubectl slipway local aws status -o json | jq '.Realms[].Pools[] | {Name, Healthy}'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != outputWide && output != outputJSON {
				return fmt.Errorf("-o %s: it is %s or %s", output, outputWide, outputJSON)
			}
			show := func() error { return showStatus(cmd.Context(), &admin, output, cmd.OutOrStdout()) }
			if !watch {
				return show()
			}
			return watchStatus(cmd.Context(), &admin, cmd.OutOrStdout(), show)
		},
	}
	admin.add(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, all there is; or wide, with more columns")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show it again whenever something happens, until Ctrl-C")
	return cmd
}

// The forms of output beside the usual one.
const (
	outputWide = "wide"
	outputJSON = "json"
)

func showStatus(ctx context.Context, admin *awsAdmin, output string, out io.Writer) error {
	if output == outputJSON {
		text, err := admin.ask(ctx, http.MethodGet, "state", "")
		fmt.Fprint(out, text)
		return err
	}
	s, err := admin.state(ctx)
	if err != nil {
		return err
	}
	writeStatus(out, s, output == outputWide)
	return nil
}

// watchStatus shows the status whenever the ledger has grown, once for all that came meanwhile. On a terminal each screen takes
// the place of the former one.
func watchStatus(ctx context.Context, admin *awsAdmin, out io.Writer, show func() error) error {
	following, end := context.WithCancel(ctx)
	defer end()
	s, err := admin.state(ctx)
	if err != nil {
		return err
	}
	grown, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- admin.follow(following, s.LastSeq, true, func(localaws.Entry) {
			select {
			case grown <- struct{}{}:
			default: // it is known already
			}
		})
	}()
	for {
		if isTerminal(out) {
			fmt.Fprint(out, "\x1b[H\x1b[2J")
		}
		if err := show(); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		select {
		case err := <-ended:
			return err
		case <-grown:
		}
		fmt.Fprintln(out)
	}
}

// screen writes tables.
type screen struct {
	*tabwriter.Writer
	wide bool
	now  time.Time
}

func writeStatus(out io.Writer, s *localaws.State, wide bool) {
	t := screen{Writer: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0), wide: wide, now: s.Clock.Now}
	fmt.Fprintf(t, "%s, %s, seed %d\n", s.Clock.Now.UTC().Format("2006-01-02 15:04:05 MST"), speedText(s.Clock.Speed), s.Seed)
	for _, r := range s.Realms {
		if empty(r) && (r.Account != s.Account || r.Region != s.Region) {
			continue
		}
		fmt.Fprintf(t, "\nACCOUNT %s, REGION %s\n", r.Account, r.Region)
		if len(r.ZonesOut) > 0 {
			fmt.Fprintf(t, "zones that are out: %s\n", strings.Join(r.ZonesOut, ", "))
		}
		t.instances(r.Instances)
		t.pools(r.Pools)
		t.balancers(r.LoadBalancers)
		t.parameters(r.Parameters)
	}
	if len(s.Faults) > 0 {
		fmt.Fprintln(t)
		_ = t.Flush() // to where all else is printed
		writeFaults(out, s.Faults)
		return
	}
	_ = t.Flush() // as above
}

func empty(r localaws.RealmState) bool {
	return len(r.Instances)+len(r.Pools)+len(r.LoadBalancers)+len(r.Parameters) == 0
}

// row writes the cells of a row; those of more only on a wide screen.
func (t screen) row(cells []string, more ...string) {
	if t.wide {
		cells = append(cells, more...)
	}
	fmt.Fprintln(t, strings.Join(cells, "\t"))
}

func (t screen) instances(all []localaws.InstanceInfo) {
	if len(all) == 0 {
		fmt.Fprintln(t, "\nno instances")
		return
	}
	fmt.Fprintln(t)
	t.row([]string{"INSTANCE", "NAME", "STATE", "AGE", "ANSWERS", "VERSION", "TYPE", "ZONE"}, "ADDRESS", "SUBNET", "IMAGE", "REASON")
	for _, in := range all {
		state := in.State
		if in.Impaired {
			state += ", impaired"
		}
		t.row([]string{in.ID, dash(in.Tags["Name"]), state, t.age(in.Launched), answerText(in), dash(in.Version), in.InstanceType, in.AZ},
			in.PrivateIP, in.SubnetID, in.ImageID, dash(in.StateReason))
	}
}

func (t screen) pools(all []localaws.PoolState) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(t)
	t.row([]string{"POOL", "KIND", "BEHIND", "HEALTHY", "CHECK"}, "ARN")
	for _, p := range all {
		kind := "target group"
		if p.Kind == localaws.ClassicPool {
			kind = "classic"
		}
		t.row([]string{p.Name, kind, dash(p.Balancer), fmt.Sprintf("%d of %d", p.Healthy, len(p.Members)), checkText(p.HealthCheck)}, dash(p.ARN))
	}
	t.members(all)
}

func (t screen) members(pools []localaws.PoolState) {
	head := false
	for _, p := range pools {
		for _, m := range p.Members {
			if !head {
				fmt.Fprintln(t)
				t.row([]string{"MEMBER", "OF", "HEALTH", "SINCE", "REASON"}, "PORT", "ZONE", "GETS REQUESTS")
				head = true
			}
			reason := strings.TrimPrefix(m.Reason+": "+m.Description, ": ")
			if m.Reason == "N/A" && m.Description == "N/A" || reason == "" {
				reason = dash("")
			}
			t.row([]string{m.InstanceID, p.Name, m.AWSState, t.age(m.Since), strings.TrimSuffix(reason, ": ")},
				portText(m.Port), m.Zone, yes(m.Receiving))
		}
	}
}

func (t screen) balancers(all []localaws.BalancerState) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(t)
	t.row([]string{"LOAD BALANCER", "KIND", "STATE", "LISTENER", "URL"}, "ZONES", "RULES", "NAME IN DNS")
	for _, lb := range all {
		state := lb.Status
		if lb.ZoneShifted != "" {
			state += ", shifted away from " + lb.ZoneShifted
		}
		if len(lb.Listeners) == 0 {
			t.row([]string{lb.Name, lb.Kind, state, dash(""), dash("")}, strings.Join(lb.Zones, ","), dash(""), lb.DNSName)
		}
		for _, l := range lb.Listeners {
			t.row([]string{lb.Name, lb.Kind, state, fmt.Sprintf("%s:%d", l.Protocol, l.Port), dash(l.URL)},
				strings.Join(lb.Zones, ","), rulesText(l.Rules), lb.DNSName)
		}
	}
}

func (t screen) parameters(all []localaws.ParameterState) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(t)
	t.row([]string{"PARAMETER", "VERSION", "LABELS", "VALUE"}, "TYPE", "AGE")
	for _, p := range all {
		value := p.Value
		if p.Type == "SecureString" {
			value = "(secret)"
		}
		t.row([]string{p.Name, fmt.Sprint(p.Version), dash(strings.Join(p.Labels, ",")), shellWord(value)}, p.Type, t.age(p.Modified))
	}
}

// age is how long ago that was, as kubectl writes it.
func (t screen) age(at time.Time) string {
	d := max(t.now.Sub(at), 0)
	switch {
	case at.IsZero():
		return dash("")
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

// answerText is what an application answers.
func answerText(in localaws.InstanceInfo) string {
	switch in.AppStatus {
	case localaws.AppRefuses:
		return "no"
	case localaws.AppHangs:
		return "hangs"
	case localaws.AppUnreachable:
		return "unreachable"
	}
	return fmt.Sprint(in.AppStatus)
}

func checkText(h localaws.HealthCheckState) string {
	text := h.Protocol
	if h.Port != 0 {
		text += fmt.Sprintf(":%d", h.Port)
	}
	return fmt.Sprintf("%s%s every %s, %d up, %d down", text, h.Path, h.Interval, h.Healthy, h.Unhealthy)
}

func rulesText(rules []localaws.RuleState) string {
	parts := make([]string, len(rules))
	for i, r := range rules {
		parts[i] = r.Action
		if len(r.Conditions) > 0 {
			parts[i] = strings.Join(r.Conditions, " and ") + ": " + r.Action
		}
	}
	return strings.Join(parts, "; ")
}

func portText(port int) string {
	if port == 0 {
		return dash("")
	}
	return fmt.Sprint(port)
}

func dash(text string) string { return cmp.Or(text, "-") }

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
