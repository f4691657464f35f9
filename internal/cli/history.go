package cli

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
)

func newHistory(o *Options) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "history NAME",
		Short: "List the revisions of a Release and what became of each",
		Long: `Lists the revisions that Slipway remembers, newest first: when each was recorded, ready in Preview and Live, and the
verdict that ended it. BY is who asked for the last of these, as far as the API server tells; -o wide says it of Live and of
the end, each for itself. Times are UTC.`,
		Example: `  kubectl slipway history web
  kubectl slipway history web -o json | jq -r '.[] | select(.verdict == "RolledBack").version'`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeReleases(o, nil),
	}
	cmd.Flags().StringVarP(&format, "output", "o", "", "wide, json, yaml or name")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		_, r, err := o.find(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		text, err := historyText(r, format, o.painter(), o.Now())
		if err != nil {
			return err
		}
		return o.tell(text)
	}
	return cmd
}

// historyText is the history in a form of output.
func historyText(r *v1alpha1.Release, format string, p painter, now time.Time) ([]string, error) {
	entries := r.Status.History
	if entries == nil {
		entries = []v1alpha1.HistoryEntry{}
	}
	var text []byte
	var err error
	switch format {
	case "":
		return historyLines(r, p, now, false), nil
	case "wide":
		return historyLines(r, p, now, true), nil
	case "name":
		lines := make([]string, 0, len(entries))
		for _, e := range entries {
			lines = append(lines, "controllerrevision.apps/"+string(e.Revision))
		}
		return lines, nil
	case "json":
		text, err = json.MarshalIndent(entries, "", "    ")
	case "yaml":
		text, err = yaml.Marshal(entries)
	default:
		return nil, exitf(ExitUsage, "-o %s: it is wide, json, yaml or name", format)
	}
	return []string{string(text)}, err
}

func historyLines(r *v1alpha1.Release, p painter, now time.Time, wide bool) []string {
	if len(r.Status.History) == 0 {
		return []string{"no revision is recorded yet"}
	}
	rows := [][]string{{"VERSION", "REVISION", "IMAGE", "NOW", "BECAME", "RECORDED", "PREVIEW", "LIVE", "ENDED"}}
	rows[0] = append(rows[0], whoAskedColumns(wide)...)
	for i := range rows[0] {
		rows[0][i] = p.in(faint, rows[0][i])
	}
	for _, e := range r.Status.History {
		m := calm
		switch e.Verdict {
		case v1alpha1.VerdictCompleted:
			m = good
		case v1alpha1.VerdictPromotionFailed, v1alpha1.VerdictAutoRolledBack:
			m = bad
		}
		rows = append(rows, slices.Concat([]string{string(e.Version), string(e.Revision), string(e.ImageID), cmp.Or(roleOf(r, e.Revision), "-"),
			p.in(m, cmp.Or(string(e.Verdict), "open")), moment(e.Created, now), moment(e.PreviewReady, now), moment(e.Live, now), moment(e.Ended, now)},
			whoAsked(e, wide)))
		if e.Message != "" {
			rows = append(rows, []string{"  " + e.Message})
		}
	}
	return columns(rows)
}

// whoAskedColumns are the titles of who asked.
func whoAskedColumns(wide bool) []string {
	if wide {
		return []string{"LIVE BY", "ENDED BY"}
	}
	return []string{"BY"}
}

// whoAsked is who asked for an entry's end, else for its Live; wide, for each of them.
func whoAsked(e v1alpha1.HistoryEntry, wide bool) []string {
	live, ended := cmp.Or(string(e.LiveBy), "-"), cmp.Or(string(e.EndedBy), "-")
	switch {
	case wide:
		return []string{live, ended}
	case e.Ended.IsZero():
		return []string{live}
	}
	return []string{ended}
}

// roleOf is what the fleet of a revision is now; empty where it has none.
func roleOf(r *v1alpha1.Release, revision v1alpha1.StatusName) string {
	for _, f := range fleets(r) {
		if f.Revision == revision {
			return f.role
		}
	}
	return ""
}

// moment is a time in UTC; that of another day with its date.
func moment(t interface {
	IsZero() bool
	Format(layout string) string
	UTC() time.Time
}, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	at := t.UTC()
	if now.Sub(at) < 24*time.Hour {
		return at.Format(time.TimeOnly)
	}
	return at.Format("2006-01-02 15:04")
}

// findRevision is the name of the revision that a person names, by its version or its own name.
func findRevision(r *v1alpha1.Release, word string) (string, error) {
	for _, e := range r.Status.History {
		if string(e.Revision) == word {
			return word, nil
		}
	}
	for _, e := range r.Status.History { // the newest of a version
		if string(e.Version) == word {
			return string(e.Revision), nil
		}
	}
	if strings.HasPrefix(word, r.Name+"-") { // one that status shows no more
		return word, nil
	}
	return "", exitf(ExitNotFound, "%s has no revision or version %s; those that there are: %s", r.Name, word, say(r, "history"))
}
