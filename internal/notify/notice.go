package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// Kind is what a notice is about: the last part of a CloudEvent's type, and the name of a trigger.
type Kind string

// The kinds of notice.
const (
	// PreviewReady: the version can be looked at, and a person decides whether it goes live.
	PreviewReady Kind = "previewready"
	// Live: the version serves production, and the one before stands by.
	Live Kind = "live"
	// Completed: the version is the stable one, and there is no way back.
	Completed Kind = "completed"
	// RolledBack: somebody gave production back to the stable version.
	RolledBack Kind = "rolledback"
	// PromotionFailed: the version did not get healthy in production in time, and was taken out.
	PromotionFailed Kind = "promotionfailed"
	// AutoRolledBack: the version got sick while it was Live, and was taken out.
	AutoRolledBack Kind = "autorolledback"
	// Stalled: it does not go on unless a person changes something.
	Stalled Kind = "stalled"
	// Blind: AWS cannot be read, so nothing is removed.
	Blind Kind = "blind"
)

// Kinds are all kinds of notice.
func Kinds() []Kind {
	return []Kind{PreviewReady, Live, Completed, RolledBack, PromotionFailed, AutoRolledBack, Stalled, Blind}
}

// Notice is one thing to tell.
type Notice struct {
	// ID is the same whenever the same thing is told again, by whomever: who keeps the IDs hears everything once.
	ID   string    `json:"-"`
	Kind Kind      `json:"-"`
	At   time.Time `json:"-"`

	Namespace string `json:"namespace"`
	Release   string `json:"release"`
	Revision  string `json:"revision,omitempty"`
	Version   string `json:"version,omitempty"`
	Stage     string `json:"stage"`
	Reason    string `json:"reason"`
	Message   string `json:"message"`
	// Command is what to type, with Slipway's command line; Kubectl does the same without it. Purpose says what for, in a few words that a
	// colon follows: not every notice asks for something.
	Purpose string `json:"purpose"`
	Command string `json:"command"`
	Kubectl string `json:"kubectl"`
}

// Title is the notice in a line.
func (n Notice) Title() string {
	return fmt.Sprintf("%s/%s %s: %s", n.Namespace, n.Release, n.Version, map[Kind]string{
		PreviewReady: "ready in Preview", Live: "is live", Completed: "is complete", RolledBack: "was rolled back",
		PromotionFailed: "its promotion failed and was undone", AutoRolledBack: "was rolled back automatically",
		Stalled: "does not go on", Blind: "AWS cannot be read",
	}[n.Kind])
}

// Notices is what there is to tell of a Release, oldest first. It is a function of the object alone: told again after a restart, a
// notice has the same ID.
func Notices(rel *v1alpha1.Release) []Notice {
	var all []Notice
	for _, entry := range rel.Status.History {
		if entry.Live != nil {
			all = append(all, of(rel, Live, entry, entry.Live, "Live", "version "+string(entry.Version)+" serves production"))
		}
		kind, ended := verdicts[entry.Verdict]
		if ended && entry.Ended != nil {
			all = append(all, of(rel, kind, entry, entry.Ended, string(entry.Verdict), entry.Message))
		}
	}
	for kind, condition := range map[Kind]string{
		Stalled: v1alpha1.ConditionStalled, Blind: v1alpha1.ConditionBlind, PreviewReady: v1alpha1.ConditionAwaitingDecision,
	} {
		c := meta.FindStatusCondition(rel.Status.Conditions, condition)
		if c == nil || c.Status != metav1.ConditionTrue || kind == PreviewReady && rel.Status.Stage != "Preview" {
			continue
		}
		all = append(all, of(rel, kind, newest(rel), &c.LastTransitionTime, c.Reason, c.Message))
	}
	slices.SortStableFunc(all, func(a, b Notice) int {
		if by := a.At.Compare(b.At); by != 0 {
			return by
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all
}

// verdicts are those that people are told of.
var verdicts = map[v1alpha1.Verdict]Kind{
	v1alpha1.VerdictCompleted: Completed, v1alpha1.VerdictRolledBack: RolledBack,
	v1alpha1.VerdictPromotionFailed: PromotionFailed, v1alpha1.VerdictAutoRolledBack: AutoRolledBack,
}

// newest is the revision that the Release is about: the candidate's, else that of the stable fleet.
func newest(rel *v1alpha1.Release) v1alpha1.HistoryEntry {
	switch status := rel.Status; {
	case status.Candidate != nil:
		return v1alpha1.HistoryEntry{Revision: status.Candidate.Revision, Version: status.Candidate.Version}
	case status.Stable != nil:
		return v1alpha1.HistoryEntry{Revision: status.Stable.Revision, Version: status.Stable.Version}
	default:
		return v1alpha1.HistoryEntry{Version: v1alpha1.StatusName(rel.Spec.Version)}
	}
}

func of(rel *v1alpha1.Release, kind Kind, about v1alpha1.HistoryEntry, at *metav1.Time, reason, message string) Notice {
	n := Notice{
		ID:        fmt.Sprintf("%s/%s/%s/%s/%d", rel.UID, kind, about.Revision, reason, at.Unix()),
		Kind:      kind,
		At:        at.Time,
		Namespace: rel.Namespace, Release: rel.Name, Revision: string(about.Revision), Version: string(about.Version),
		Stage: string(rel.Status.Stage), Reason: reason, Message: message,
	}
	if n.Message == "" {
		n.Message = n.Title()
	}
	n.Purpose, n.Command, n.Kubectl = next(rel, n)
	return n
}

// next is what to type: the way on where it is open now, else what explains the state.
func next(rel *v1alpha1.Release, n Notice) (purpose, command, kubectl string) {
	const why = "to see how it is"
	purpose, verb, phase := why, "explain", v1alpha1.Phase("")
	switch n.Kind {
	case PreviewReady:
		purpose, verb, phase = "to let it serve production", "promote", v1alpha1.PhaseLive
	case Live:
		purpose, verb, phase = "only to go back to the version before", "rollback", v1alpha1.PhaseRolledBack
	case Completed:
		purpose, verb = "to see what there was", "history"
	}
	current := n.Revision == string(newest(rel).Revision)
	if phase != "" && (!current || !slices.Contains(rel.Status.AllowedPhases, phase)) {
		purpose, verb, phase = why, "explain", ""
	}
	command = fmt.Sprintf("kubectl slipway %s %s -n %s", verb, n.Release, n.Namespace)
	if phase == "" {
		return purpose, command, fmt.Sprintf("kubectl -n %s describe release %s", n.Namespace, n.Release)
	}
	patch, _ := json.Marshal(map[string]any{"spec": map[string]any{"phase": phase, "phaseFor": rel.Spec.Version}})
	return purpose, command, fmt.Sprintf("kubectl -n %s patch release %s --type merge -p %s", n.Namespace, n.Release, quoted(string(patch)))
}

// quoted is a word for a shell.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// Current are the newest notice of each kind about the revision that the Release is about now.
func Current(rel *v1alpha1.Release) map[Kind]Notice {
	current := map[Kind]Notice{}
	for _, n := range Notices(rel) {
		if n.Revision == string(newest(rel).Revision) {
			current[n.Kind] = n
		}
	}
	return current
}
