package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/api/v1alpha1"
)

// verb is a change of phase.
type verb struct {
	name  string
	phase v1alpha1.Phase
	short string
	long  string
	// gist says in a few words what it does now.
	gist func(*v1alpha1.Release) string
	// effects say what it will touch, a line each.
	effects func(*v1alpha1.Release) []string
}

// verbs are all of them, in the order in which a deploy meets them.
var verbs = []verb{
	{
		"promote", v1alpha1.PhaseLive, "Let the candidate serve production",
		`Asks for Live: the candidate joins every production pool beside the stable version; when it is healthy in all
of them, the stable version leaves. Its servers keep running, for a rollback. Nothing is terminated but a fleet
from before the stable one.`,
		promoteGist, promoteEffects,
	},
	{
		"complete", v1alpha1.PhaseComplete, "Make the candidate the stable version, and terminate the former one",
		`Asks for Complete: the candidate is the stable version from then on, and the servers of the former one
are terminated. There is no way back to them.`,
		completeGist, completeEffects,
	},
	{
		"rollback", v1alpha1.PhaseRolledBack, "Give production back to the stable version",
		`Asks for RolledBack: the stable version joins every production pool, and when it is healthy there the
candidate leaves and goes back to the test pools for a look. Nothing is launched for it, and nothing is terminated.`,
		rollbackGist, rollbackEffects,
	},
}

// label is a fleet in words: its version and its size.
func label(f *v1alpha1.FleetStatus) string {
	return fmt.Sprintf("%s (%s)", f.Version, serverCount(f.Running))
}

// serverCount is a number of servers.
func serverCount(n int32) string {
	if n == 1 {
		return "1 server"
	}
	return fmt.Sprintf("%d servers", n)
}

// poolNames are the pools of a role, as AWS and as the spec call them.
func poolNames(r *v1alpha1.Release, role v1alpha1.PoolRole) string {
	var names []string
	for _, pool := range r.Status.Pools {
		if pool.Role == role {
			names = append(names, fmt.Sprintf("%s (%s %s)", pool.Name, pool.Kind, short(pool.Reference)))
		}
	}
	return cmp.Or(strings.Join(names, ", "), "no pool")
}

// joining says into which production pools how many servers of a fleet are registered that are not there yet.
func joining(r *v1alpha1.Release, f *v1alpha1.FleetStatus) []string {
	return perPool(r, v1alpha1.PoolRoleProduction, func(pool v1alpha1.PoolStatus) (int32, string) {
		return f.Running - there(pool, f), "registers"
	}, "in", f)
}

// leaving says from which pools of a role how many servers of a fleet are taken out.
func leaving(r *v1alpha1.Release, f *v1alpha1.FleetStatus, role v1alpha1.PoolRole) []string {
	return perPool(r, role, func(pool v1alpha1.PoolStatus) (int32, string) { return there(pool, f), "takes" }, "out of", f)
}

// there is how many servers of a fleet are registered in a pool.
func there(pool v1alpha1.PoolStatus, f *v1alpha1.FleetStatus) int32 {
	for _, in := range pool.Fleets {
		if in.Revision == f.Revision {
			return in.Registered
		}
	}
	return 0
}

func perPool(r *v1alpha1.Release, role v1alpha1.PoolRole, n func(v1alpha1.PoolStatus) (int32, string), where string, f *v1alpha1.FleetStatus) []string {
	var lines []string
	for _, pool := range r.Status.Pools {
		if pool.Role != role {
			continue
		}
		if many, does := n(pool); many > 0 {
			lines = append(lines, fmt.Sprintf("%s %s of %s %s %s pool %s (%s %s)", does, serverCount(many), f.Version, where, role, pool.Name,
				pool.Kind, short(pool.Reference)))
		}
	}
	return lines
}

// settled says whether the spec describes the stable fleet, as far as it was seen. Where another Preview may be asked for, it does not yet, or a
// fleet from before is kept beside it.
func settled(r *v1alpha1.Release) bool {
	s := r.Status.Stable
	if r.Status.Stage != stageSettled || s == nil || !seen(r) {
		return false
	}
	kept := slices.ContainsFunc(r.Status.Retired, func(f v1alpha1.FleetStatus) bool { return f.Running > 0 })
	return !allows(r, v1alpha1.PhasePreview) || kept && string(s.Version) == string(r.Spec.Version)
}

// settledEffects are what another phase does there, where a fleet from before may still be kept: it was declared again while it stood beside a
// newer one.
func settledEffects(r *v1alpha1.Release, does string) []string {
	lines := []string{settledWords(r)}
	for i := range r.Status.Retired {
		if f := &r.Status.Retired[i]; f.Running > 0 && allows(r, v1alpha1.PhasePreview) {
			lines = append(lines, fmt.Sprintf(does, label(f)))
		}
	}
	return lines
}

// settledWords are what another phase changes there.
func settledWords(r *v1alpha1.Release) string {
	return string(r.Status.Stable.Version) + " is the stable version already: nothing is launched for it, and no server of it is terminated"
}

func promoteGist(r *v1alpha1.Release) string {
	switch {
	case settled(r):
		return settledWords(r)
	case r.Status.Candidate == nil:
		return "the declared version goes into production"
	}
	words := string(r.Status.Candidate.Version) + " joins production"
	if r.Status.Stable != nil {
		words += ", then " + string(r.Status.Stable.Version) + " leaves it and stands by"
	}
	return words
}

func promoteEffects(r *v1alpha1.Release) []string {
	c, s := r.Status.Candidate, r.Status.Stable
	if settled(r) {
		return settledEffects(r, "keeps %s, the fleet from before, running for a rollback")
	}
	if c == nil || string(c.Version) != string(r.Spec.Version) {
		return append([]string{fmt.Sprintf("version %s has no servers yet: they are launched, looked at in Preview, and go on into %s by themselves",
			r.Spec.Version, poolNames(r, v1alpha1.PoolRoleProduction))}, kept(r)...)
	}
	var lines []string
	if !is(r, v1alpha1.ConditionPreviewReady) && inProduction(r, string(c.Revision)) == 0 {
		lines = append(lines, fmt.Sprintf("version %s is not ready in Preview yet: it goes into production as soon as it is", c.Version))
	}
	lines = append(lines, joining(r, c)...)
	if s != nil {
		for _, line := range leaving(r, s, v1alpha1.PoolRoleProduction) {
			lines = append(lines, "then, when "+string(c.Version)+" is healthy in all of them, "+line)
		}
	}
	for _, line := range leaving(r, c, v1alpha1.PoolRoleTest) {
		lines = append(lines, "then "+line)
	}
	return append(lines, kept(r)...)
}

// kept says what a promotion leaves running, and what it does not.
func kept(r *v1alpha1.Release) []string {
	var lines []string
	for i := range r.Status.Retired {
		if f := &r.Status.Retired[i]; f.Running > 0 {
			lines = append(lines, fmt.Sprintf("terminates %s, the fleet from before, unless that is under way already: no rollback goes to it", label(f)))
		}
	}
	switch {
	case r.Status.Stable != nil:
		return append(lines, fmt.Sprintf("keeps %s running, for a rollback", label(r.Status.Stable)))
	case len(lines) == 0:
		return []string{"terminates nothing; there is no version before it to roll back to"}
	}
	return lines
}

func completeGist(r *v1alpha1.Release) string {
	if settled(r) {
		return settledWords(r)
	}
	if s := r.Status.Stable; s != nil {
		return fmt.Sprintf("%s of %s terminated, no way back", serverCount(s.Running), s.Version)
	}
	return "the candidate becomes the stable version"
}

func completeEffects(r *v1alpha1.Release) []string {
	if settled(r) {
		return settledEffects(r, "terminates %s, the fleet from before, for good: there is no way back to it after that")
	}
	var lines []string
	if !is(r, v1alpha1.ConditionPromoted) {
		lines = promoteEffects(r)
		lines = lines[:max(0, len(lines)-1)] // which says what is kept
	}
	if r.Status.Stable == nil {
		return append(lines, "terminates nothing: there is no former version")
	}
	return append(lines,
		fmt.Sprintf("terminates %s for good: %s", label(r.Status.Stable), idWords(r.Status.Stable)),
		"there is no way back to "+string(r.Status.Stable.Version)+" after that, but to deploy it anew")
}

// namedServers is how many servers are named in a line.
const namedServers = 6

// idWords are the ids of a fleet's servers, the first of many.
func idWords(f *v1alpha1.FleetStatus) string {
	ids := make([]string, 0, namedServers)
	for _, id := range f.ServerIDs[:min(namedServers, len(f.ServerIDs))] {
		ids = append(ids, string(id))
	}
	words := cmp.Or(strings.Join(ids, ", "), "status names none of them")
	if more := int(f.Running) - len(ids); more > 0 && len(ids) > 0 {
		words += fmt.Sprintf(" and %d more", more)
	}
	return words
}

func rollbackGist(r *v1alpha1.Release) string {
	switch {
	case r.Status.Stable == nil:
		return "there is no version to go back to"
	case r.Status.Stage == stageRefused:
		return fmt.Sprintf("nothing is done before the refusal is mended; then %s serves alone", r.Status.Stable.Version)
	case goingIn(r) && r.Status.Stage == stagePaused:
		return fmt.Sprintf("%s is taken back, %s serves alone", r.Status.Candidate.Version, r.Status.Stable.Version)
	case goingIn(r):
		return fmt.Sprintf("%s is taken back, %s goes on serving", r.Status.Candidate.Version, r.Status.Stable.Version)
	case r.Status.Candidate != nil && (!hasLeft(r) || r.Status.Stage == stagePaused && inProduction(r, string(r.Status.Candidate.Revision)) == 0):
		return fmt.Sprintf("%s is rejected, %s goes on serving", r.Status.Candidate.Version, r.Status.Stable.Version)
	}
	return string(r.Status.Stable.Version) + " serves again"
}

func rollbackEffects(r *v1alpha1.Release) []string {
	c, s := r.Status.Candidate, r.Status.Stable
	switch {
	case s == nil:
		return nil
	case r.Status.Stage == stageRefused:
		return []string{
			"no call is made while Slipway may not act for this Release: kubectl slipway explain " + r.Name + " says why",
			fmt.Sprintf("once that is mended, %s is put back into production where it is missing, and any other version is taken out then; "+
				"nothing is terminated", label(s)),
		}
	case goingIn(r):
		return takenBack(r)
	}
	lines := rejoining(r, s)
	if c == nil {
		return append(lines, "launches and terminates nothing")
	}
	leaves := leaving(r, c, v1alpha1.PoolRoleProduction)
	for _, line := range leaves {
		lines = append(lines, "then, when "+string(s.Version)+" is healthy in all of them, "+line)
	}
	if len(lines) == 0 {
		return []string{fmt.Sprintf("production has %s alone already: %s is marked as rejected, and stays on %s for a look",
			s.Version, label(c), poolNames(r, v1alpha1.PoolRoleTest)), "launches and terminates nothing"}
	}
	return append(lines,
		fmt.Sprintf("puts %s on %s, for a look at what went wrong", label(c), poolNames(r, v1alpha1.PoolRoleTest)),
		"launches nothing for "+string(c.Version)+", and terminates nothing")
}

// goingIn says whether the candidate is on its way into production, begun or asked for, and the stable version was not told to leave yet, but
// for one that was paused in the middle. Its servers may be registered there at any moment, so what the pools had when they were read last does
// not say what a rollback meets.
func goingIn(r *v1alpha1.Release) bool {
	c := r.Status.Candidate
	if c == nil {
		return false
	}
	switch r.Status.Stage {
	case stagePromoting:
		return true
	case stagePaused:
		return promotionBegun(r)
	case stagePreparing, stagePreview, stageRolledBack:
		unseen := !seen(r) && c.Version == v1alpha1.StatusName(r.Spec.Version) && (meant(r) == v1alpha1.PhaseLive || meant(r) == v1alpha1.PhaseComplete)
		return unseen || leadsToLive(r)
	}
	return false
}

// promotionBegun says whether a promotion has begun and not ended. A pause leaves it as it is.
func promotionBegun(r *v1alpha1.Release) bool {
	t := r.Status.LastTransition
	return t != nil && t.What == transitionPromotion && t.Started != nil && t.Ended == nil
}

// takenBack is what a rollback does to a candidate that is on its way into production. It counts no servers: the numbers change under the
// reader's eyes, and what is done about them does not.
func takenBack(r *v1alpha1.Release) []string {
	c, s := r.Status.Candidate.Version, r.Status.Stable
	moves, serves := ": once ready in Preview its servers are registered there, at any moment, if they are not already", "keeps serving from"
	if r.Status.Stage == stagePaused {
		moves, serves = ", and was stopped there", "serves from"
	}
	return []string{
		fmt.Sprintf("%s is on its way into production%s", c, moves),
		fmt.Sprintf("%s %s %s, and is put back where it is missing", label(s), serves, poolNames(r, v1alpha1.PoolRoleProduction)),
		fmt.Sprintf("then, when %s is healthy in all of them, takes every server of %s that got there out again", s.Version, c),
		fmt.Sprintf("%s is marked as rejected, and stays on %s for a look", c, poolNames(r, v1alpha1.PoolRoleTest)),
		fmt.Sprintf("launches nothing for %s, and terminates nothing", c),
	}
}

// rejoining is joining for a rollback. While the stable version leaves, those that were seen in a pool last may have left it since: a rollback
// registers all of them.
func rejoining(r *v1alpha1.Release, s *v1alpha1.FleetStatus) []string {
	if r.Status.Stage != stageSwitching {
		return joining(r, s)
	}
	return perPool(r, v1alpha1.PoolRoleProduction, func(v1alpha1.PoolStatus) (int32, string) { return s.Running, "registers" }, "in", s)
}
