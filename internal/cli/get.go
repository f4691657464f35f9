package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// selection is which Releases a command is about, and for how long.
type selection struct {
	all, watch bool
	labels     string
	until      string
}

func (s *selection) add(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&s.all, "all-namespaces", "A", false, "in all namespaces")
	cmd.Flags().StringVarP(&s.labels, "selector", "l", "", "those with these labels, for example team=shop,tier!=test")
	cmd.Flags().BoolVarP(&s.watch, "watch", "w", false, "go on: a live screen on a terminal, else a line for each change")
}

func newGet(o *Options) *cobra.Command {
	var s selection
	cmd := &cobra.Command{
		Use:   "get [NAME]",
		Short: "Show a Release: its fleets, servers and load balancers, and what comes next",
		Long: `Shows a Release as a tree of fleets and servers, each with its health in every pool and AWS's reason where it has
none; what happens next, and what to type. Without a name it lists Releases, as list does.

With -w it goes on until the Release is gone, or until it is where --for says; q, Esc or Ctrl-C ends it before. On a
terminal only what changes is drawn anew, below what is there already. Elsewhere, or with TERM=dumb, it writes a line
for each change. NO_COLOR is heeded.`,
		Example: `  kubectl slipway get web
  kubectl slipway get web -w --for=live
  kubectl slipway get web -o jsonpath='{.status.liveVersion}'`,
		Args:              args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: completeReleases(o, nil),
	}
	out := addOutput(cmd)
	s.add(cmd)
	cmd.Flags().StringVar(&s.until, "for", "", strings.Join(goalNames, ", ")+": with -w, end when it is so, with the exit status of status --for")
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions(goalNames, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.valid(args, out); err != nil {
			return err
		}
		c, namespace, err := o.open()
		if err != nil {
			return err
		}
		if len(args) == 0 {
			return showList(cmd.Context(), o, c, namespace, &s, out)
		}
		return showOne(cmd.Context(), o, c, namespace, args[0], &s, out)
	}
	return cmd
}

// valid refuses what cannot be meant.
func (s *selection) valid(args []string, out *output) error {
	switch {
	case s.until != "" && !slices.Contains(goalNames, s.until):
		return exitf(ExitUsage, "--for=%s: it is one of %s", s.until, strings.Join(goalNames, ", "))
	case s.until != "" && (len(args) == 0 || !s.watch):
		return exitf(ExitUsage, "--for needs -w and the name of a Release")
	case s.watch && !out.forPeople():
		return exitf(ExitUsage, "-w is for people; in a script: kubectl slipway status NAME --for=…, or kubectl get releases -w -o json")
	case len(args) > 0 && (s.all || s.labels != ""):
		return exitf(ExitUsage, "a name, or -A and -l: it is one of the two")
	}
	return nil
}

func showOne(ctx context.Context, o *Options, c client.WithWatch, namespace, name string, s *selection, out *output) error {
	release, err := getRelease(ctx, c, namespace, name)
	if err != nil {
		return err
	}
	if !out.forPeople() {
		return out.print(release, o.Out)
	}
	if !s.watch {
		return o.tell(screen(release, o.painter(), o.Now()))
	}
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	version := string(release.Spec.Version)
	w := &watched{
		o: o, c: c, options: &client.ListOptions{Namespace: namespace, Raw: &metav1.ListOptions{FieldSelector: only}}, first: []v1alpha1.Release{*release},
		end: func(r *v1alpha1.Release, gone bool) (bool, error) { return s.over(r, gone, version) },
		frame: func(all []v1alpha1.Release, p painter, now time.Time) []string {
			if len(all) == 0 {
				return []string{namespace + "/" + name + "  gone"}
			}
			return screen(&all[0], p, now)
		},
	}
	return w.watch(ctx)
}

// over says that a watch of one Release is at its end: it is gone, or where --for says.
func (s *selection) over(r *v1alpha1.Release, gone bool, version string) (bool, error) {
	switch {
	case gone && s.until != "":
		return true, exitf(ExitNotFound, "%s is gone", key(r))
	case gone:
		return true, nil
	case s.until == "":
		return false, nil
	}
	end := goals[s.until].judge(r, version)
	if end.done && end.code != 0 {
		return true, exitf(end.code, "%s: %s", key(r), end.text)
	}
	return end.done, nil
}

func newList(o *Options) *cobra.Command {
	var s selection
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List Releases: those that wait for somebody first",
		Args:    args(cobra.NoArgs),
	}
	out := addOutput(cmd)
	s.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.valid(args, out); err != nil {
			return err
		}
		c, namespace, err := o.open()
		if err != nil {
			return err
		}
		return showList(cmd.Context(), o, c, namespace, &s, out)
	}
	return cmd
}

// getRelease reads one Release, with its kind set, as printers want it.
func getRelease(ctx context.Context, c client.Reader, namespace, name string) (*v1alpha1.Release, error) {
	var release v1alpha1.Release
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &release); err != nil {
		return nil, explain(err, namespace, name)
	}
	return withKind(&release), nil
}

// options are those of a list request.
func (s *selection) options(namespace string) *client.ListOptions {
	if s.all {
		namespace = ""
	}
	return &client.ListOptions{Namespace: namespace, Raw: &metav1.ListOptions{LabelSelector: s.labels}}
}

func showList(ctx context.Context, o *Options, c client.WithWatch, namespace string, s *selection, out *output) error {
	options := s.options(namespace)
	draw := func(all []v1alpha1.Release, p painter, now time.Time) []string {
		return list(all, p, s.all, out.wide(), now)
	}
	if s.watch {
		return (&watched{o: o, c: c, options: options, frame: draw}).watch(ctx)
	}
	var found v1alpha1.ReleaseList
	if err := c.List(ctx, &found, options); err != nil {
		return explainConnection(err)
	}
	for i := range found.Items {
		withKind(&found.Items[i])
	}
	if !out.forPeople() {
		return out.print(&found, o.Out)
	}
	if len(found.Items) == 0 {
		where := "in namespace " + namespace + " (-A: in all)"
		if s.all {
			where = "in this cluster"
		}
		_, err := o.ErrOut.Write([]byte("no Releases " + where + "\n"))
		return err
	}
	return o.tell(draw(found.Items, o.painter(), o.Now()))
}

// list is a table of Releases: what somebody has to see to first, then by name.
func list(all []v1alpha1.Release, p painter, namespaces, wide bool, now time.Time) []string {
	urgency := map[mood]int{bad: 0, waiting: 1, busy: 2}
	rank := func(r *v1alpha1.Release) int {
		_, m := headline(r)
		if u, ok := urgency[m]; ok {
			return u
		}
		return len(urgency)
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b v1alpha1.Release) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), cmp.Compare(key(&a), key(&b)))
	})
	header := []string{"NAME", "STATE", "LIVE", "CANDIDATE", "HEALTHY", "AGE"}
	if namespaces {
		header = slices.Insert(header, 0, "NAMESPACE")
	}
	if wide {
		header = append(header, "MESSAGE")
	}
	for i := range header {
		header[i] = p.in(faint, header[i])
	}
	rows := make([][]string, 0, len(all)+1)
	rows = append(rows, header)
	for i := range all {
		rows = append(rows, listRow(&all[i], p, namespaces, wide, now))
	}
	lines := columns(rows)
	for i := range lines {
		lines[i] = p.fit(lines[i])
	}
	return lines
}

func listRow(r *v1alpha1.Release, p painter, namespaces, wide bool, now time.Time) []string {
	state, m := headline(r)
	candidate := "-"
	if r.Status.Candidate != nil {
		candidate = string(r.Status.Candidate.Version)
	}
	row := []string{r.Name, p.in(m, p.sign(m)+" "+state), cmp.Or(r.Status.LiveVersion, "-"), candidate, poorest(r), age(&r.CreationTimestamp, now)}
	if namespaces {
		row = slices.Insert(row, 0, r.Namespace)
	}
	if wide {
		row = append(row, cmp.Or(r.Status.Message, "-"))
	}
	return row
}

// age is how long ago something was, as kubectl says it.
func age(then *metav1.Time, now time.Time) string {
	if then.IsZero() {
		return "-"
	}
	return duration.HumanDuration(now.Sub(then.Time))
}
