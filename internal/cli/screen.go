package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
)

// screen draws one Release: what it is at, what comes next and what to type, then the tree of its servers and its pools.
func screen(r *v1alpha1.Release, p painter, now time.Time) []string {
	lines := head(r, p, now)
	if len(r.Status.Conditions) == 0 {
		return lines
	}
	lines = append(lines, "")
	lines = append(lines, tree(r, p)...)
	if pools := poolTable(r, p); len(pools) > 0 {
		lines = append(append(lines, ""), pools...)
	}
	return lines
}

// head is everything above the tree.
func head(r *v1alpha1.Release, p painter, now time.Time) []string {
	state, m := headline(r)
	title := p.in(m, p.sign(m)+" "+state)
	if lasts := since(r, now); lasts != "" {
		title += "  " + p.in(faint, lasts)
	}
	lines := []string{p.in(strong, r.Namespace+"/"+r.Name) + "  " + title}
	if r.Status.Message != "" {
		lines = append(lines, p.wrap("  ", r.Status.Message)...)
	}
	lines = append(lines, fact(p, "asked for", askedWords(r))...)
	lines = append(lines, fact(p, "versions", versionWords(r))...)
	if owner := gitOwner(r, fieldPhase); owner != "" {
		lines = append(lines, fact(p, "git", "spec.phase is written by "+owner+": a change of it from here would be undone; commit it, or use --override")...)
	}
	return append(lines, steps(p, next(r, now))...)
}

// fact is a line with a word for what it is.
func fact(p painter, name, text string) []string {
	if text == "" {
		return nil
	}
	lines := p.wrap(strings.Repeat(" ", 13), text)
	lines[0] = "  " + p.in(faint, fmt.Sprintf("%-11s", name)) + strings.TrimLeft(lines[0], " ")
	return lines
}

// askedWords are the phase that counts, and why where that is not spec.phase.
func askedWords(r *v1alpha1.Release) string {
	phase := string(cmp.Or(r.Status.EffectivePhase, r.Spec.Phase, "no phase"))
	if !r.DeletionTimestamp.IsZero() {
		return "deletion (deletionPolicy " + string(r.Spec.DeletionPolicy) + ")"
	}
	if r.Status.EffectivePhaseReason == v1alpha1.EffectiveByVerdict { // whose words are in the message already
		verdict, _, _ := strings.Cut(r.Status.EffectivePhaseMessage, ":")
		return fmt.Sprintf("%s (%s, though spec.phase is %s)", phase, verdict, cmp.Or(r.Spec.Phase, "not set"))
	}
	if r.Status.EffectivePhaseMessage == "" || r.Status.EffectivePhaseMessage == "spec.phase is "+phase {
		return phase
	}
	return phase + " (" + r.Status.EffectivePhaseMessage + ")"
}

// versionWords say which version serves, and which is coming.
func versionWords(r *v1alpha1.Release) string {
	words := "production has " + cmp.Or(r.Status.LiveVersion, "none")
	switch {
	case r.Status.Candidate != nil && string(r.Status.Candidate.Version) != string(r.Spec.Version):
		words += ", the candidate is " + string(r.Status.Candidate.Version) + ", declared is " + string(r.Spec.Version)
	case r.Status.Candidate != nil:
		words += ", the candidate is " + string(r.Status.Candidate.Version)
	case r.Status.LiveVersion != string(r.Spec.Version):
		words += ", declared is " + string(r.Spec.Version)
	}
	return words
}

// steps are what comes next, with the commands in a column of their own, where they can be copied.
func steps(p painter, all []step) []string {
	var lines []string
	var commands [][]string
	for _, s := range all {
		if s.Command == "" {
			lines = append(lines, fact(p, name("next", lines), s.Text)...)
			continue
		}
		commands = append(commands, []string{strings.Repeat(" ", 13) + p.in(strong, s.Command), p.in(faint, "# "+s.Text)})
	}
	typed := columns(commands)
	if len(typed) > 0 {
		typed[0] = "  " + p.in(faint, fmt.Sprintf("%-11s", "type")) + strings.TrimLeft(typed[0], " ")
	}
	return append(lines, typed...)
}

// name is that of the first line of several alone.
func name(word string, before []string) string {
	if len(before) > 0 {
		return ""
	}
	return word
}

// fleet is one fleet with its role.
type fleet struct {
	role string
	*v1alpha1.FleetStatus
}

// fleets are all of them, what serves or will serve first.
func fleets(r *v1alpha1.Release) []fleet {
	var all []fleet
	if r.Status.Candidate != nil {
		all = append(all, fleet{"candidate", r.Status.Candidate})
	}
	if r.Status.Stable != nil {
		all = append(all, fleet{"stable", r.Status.Stable})
	}
	for i := range r.Status.Retired {
		all = append(all, fleet{"retired", &r.Status.Retired[i]})
	}
	return all
}

// tree is Release → fleet → server, with what each is in and what AWS says of it.
func tree(r *v1alpha1.Release, p painter) []string {
	all := fleets(r)
	rows := make([][]string, 0, len(all)+2)
	rows = append(rows, []string{p.in(faint, "NAME"), p.in(faint, "VERSION"), p.in(faint, "STATE"), p.in(faint, "IN")}, []string{r.Name})
	for i, f := range all {
		own, below := p.branch(i == len(all)-1)
		rows = append(rows, []string{own + f.role, string(f.Version), fleetState(f), fleetPools(r, f)})
		rows = append(rows, servers(r, f, p, below)...)
	}
	lines := columns(rows)
	if len(all) == 0 {
		own, _ := p.branch(true)
		lines = append(lines, own+"no servers yet")
	}
	for i := range lines {
		lines[i] = p.fit(lines[i])
	}
	return lines
}

// fleetState counts a fleet.
func fleetState(f fleet) string {
	words := fmt.Sprintf("%d of %d running", f.Running, f.Desired)
	if f.role == "retired" && f.Desired == 0 {
		words = fmt.Sprintf("%d running", f.Running)
	}
	if f.Healthy > 0 {
		words += fmt.Sprintf(", %d healthy", f.Healthy)
	}
	return words
}

// fleetPools says where a fleet is.
func fleetPools(r *v1alpha1.Release, f fleet) string {
	var in []string
	for _, pool := range r.Status.Pools {
		for _, there := range pool.Fleets {
			if there.Revision != f.Revision {
				continue
			}
			switch {
			case there.Registered > 0:
				in = append(in, fmt.Sprintf("%s %d/%d", pool.Name, there.Healthy, there.Registered))
			case there.Draining > 0:
				in = append(in, fmt.Sprintf("%s draining %d", pool.Name, there.Draining))
			}
		}
	}
	words := cmp.Or(strings.Join(in, ", "), "no pool")
	if f.Note != "" {
		words += "; " + f.Note
	}
	return words
}
