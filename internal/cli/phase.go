package cli

import (
	"cmp"
	"fmt"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"slipway.dev/slipway/api/v1alpha1"
)

// overrideAtMost is how far ahead an override may expire: an hour less than the seven days beyond which the controller lets none count, for its
// clock may be behind this one.
const overrideAtMost = 167 * time.Hour

// phaseFlags are those of a change of phase, beside those of every change.
type phaseFlags struct {
	changeFlags
	override, endOverride, force bool
	reason, by                   string
	expires                      time.Duration
}

func (f *phaseFlags) addPhase(cmd *cobra.Command, v verb) {
	f.add(cmd)
	cmd.Flags().BoolVar(&f.force, "force", false, forceText(v))
	cmd.Flags().BoolVar(&f.endOverride, "end-override", false, "end spec.override in the same edit")
	if v.phase == v1alpha1.PhaseComplete { // the API lets no override ask for it
		return
	}
	cmd.Flags().BoolVar(&f.override, "override", false, "write spec.override, which is not in Git, for the revision that is there now; spec.phase stays")
	cmd.Flags().StringVar(&f.reason, "reason", "", "with --override: why, for whoever looks later")
	cmd.Flags().StringVar(&f.by, "by", "", "with --override: who (default: your user name)")
	cmd.Flags().DurationVar(&f.expires, "expires", 4*time.Hour, "with --override: when it ends by itself, at most 167h from now")
}

// forceText says what --force overrules.
func forceText(v verb) string {
	words := "write spec.phase though it comes from Git, which will undo it"
	if v.phase == v1alpha1.PhaseComplete {
		words += "; and though production is not healthy"
	}
	return words
}

func (f *phaseFlags) valid() error {
	switch {
	case f.override && f.endOverride:
		return exitf(ExitUsage, "--override and --end-override: it is one of the two")
	case f.override && (f.expires <= 0 || f.expires > overrideAtMost):
		return exitf(ExitUsage, "--expires=%s: an override lasts at most 167h, and longer than 0", f.expires)
	}
	return f.changeFlags.valid()
}

func newPhase(o *Options, v verb) *cobra.Command {
	var f phaseFlags
	cmd := &cobra.Command{
		Use:   v.name + " NAME",
		Short: v.short,
		Long: v.long + `

Phase and phaseFor are written together, in one patch that counts only for the object as it was looked at; so the
next version stops at Preview. Before that it says what it will touch, and asks. Where spec.phase comes from Git it
refuses, and says what to commit.`,
		Example:           v.example(),
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeReleases(o, func(r *v1alpha1.Release) bool { return allows(r, v.phase) && !asked(r, v.phase) }),
	}
	f.addPhase(cmd, v)
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.valid(); err != nil {
			return err
		}
		c, namespace, err := o.open()
		if err != nil {
			return err
		}
		p := phaseChange{v, &f, o.Now}
		ch := &change{o: o, c: c, verb: v.name, flags: &f.changeFlags, out: out, effects: p.effects, check: p.check, patch: p.patch,
			patience: sightTimeout}
		if v.phase == v1alpha1.PhaseRolledBack {
			ch.patience, ch.urgent = urgentTimeout, true
		}
		return ch.makeAndWait(cmd.Context(), namespace, args[0], func(*v1alpha1.Release) goal { return goals[v.goal()] })
	}
	return cmd
}

// example shows the verb as it is typed.
func (v verb) example() string {
	lines := []string{
		"  kubectl slipway " + v.name + " web",
		"  kubectl slipway " + v.name + " web -y --wait --timeout 20m    # in a script",
		"  kubectl slipway " + v.name + " web --dry-run=server           # would the API server take it?",
	}
	if v.phase == v1alpha1.PhaseRolledBack {
		lines = append(lines, "  kubectl slipway rollback web --override --reason 'checkout answers 500'    # where the phase is in Git")
	}
	return strings.Join(lines, "\n")
}

// goal is what --wait waits for.
func (v verb) goal() string {
	return map[v1alpha1.Phase]string{
		v1alpha1.PhaseLive: goalLive, v1alpha1.PhaseRolledBack: goalRolledBack, v1alpha1.PhaseComplete: goalComplete,
	}[v.phase]
}

// phaseChange is the change of a verb.
type phaseChange struct {
	verb  verb
	flags *phaseFlags
	now   func() time.Time
}

// check is whether the phase may be asked for, and whether that would change anything.
func (p phaseChange) check(r *v1alpha1.Release) (string, error) {
	if nothing := p.already(r); nothing != "" {
		return nothing, nil
	}
	// What is so already may be asked for by an override, and for longer.
	anew := p.flags.override && asked(r, p.verb.phase)
	if unseen := p.verb.phase == v1alpha1.PhaseRolledBack && !seen(r); !unseen && !anew && !allows(r, p.verb.phase) {
		return "", exitf(ExitRefused, "%s", p.notNow(r))
	}
	if err := p.behind(r); err != nil {
		return "", err
	}
	if err := p.sick(r); err != nil {
		return "", err
	}
	if err := p.overridden(r); err != nil {
		return "", err
	}
	return "", p.inGit(r)
}

// already says that the phase is asked for; empty where it is not. An override in effect is no asking that lasts, and another is
// one that lasts longer.
func (p phaseChange) already(r *v1alpha1.Release) string {
	written := r.Spec.Phase == p.verb.phase && (r.Spec.PhaseFor == "" || r.Spec.PhaseFor == string(r.Spec.Version))
	if p.flags.endOverride || p.flags.override || !written || !asked(r, p.verb.phase) {
		return ""
	}
	words := fmt.Sprintf("%s is asked for already, of version %s", p.verb.phase, r.Spec.Version)
	if is(r, v1alpha1.ConditionReady) {
		return words + ", and it is so"
	}
	state, _ := headline(r)
	return words + " (" + state + ")"
}

// notNow says why the phase does not allow the verb, and what else there is.
func (p phaseChange) notNow(r *v1alpha1.Release) string {
	may := make([]string, 0, len(r.Status.AllowedPhases))
	for _, phase := range r.Status.AllowedPhases {
		may = append(may, string(phase))
	}
	words := fmt.Sprintf("%s not done: spec.phase of %s may be set to %s now, not to %s", p.verb.name, r.Name,
		cmp.Or(strings.Join(may, ", "), "nothing"), p.verb.phase)
	if why := p.why(r); why != "" {
		words += ": " + why
	}
	return words
}

// why is Slipway's own reason why the phase is not allowed.
func (p phaseChange) why(r *v1alpha1.Release) string {
	rollback := condition(r, v1alpha1.ConditionRollbackAvailable)
	switch {
	case p.verb.phase == v1alpha1.PhaseRolledBack && rollback.Message != "":
		return rollback.Message
	case r.Status.EffectivePhaseReason == v1alpha1.EffectiveByVerdict:
		return r.Status.EffectivePhaseMessage + "; to try again: " + say(r, "retry")
	case p.verb.phase == v1alpha1.PhaseComplete && r.Spec.Phase == v1alpha1.PhaseRolledBack:
		return fmt.Sprintf("version %s was rolled back; put it into production again first: %s", r.Spec.Version, sayPhase(r, "promote"))
	}
	return r.Status.Message
}

// behind refuses an override for a revision that is not the declared version's: that has none yet, and would go on as if nothing had
// been written.
func (p phaseChange) behind(r *v1alpha1.Release) error {
	version := targetVersion(r)
	if !p.flags.override || version == string(r.Spec.Version) {
		return nil
	}
	return exitf(ExitRefused, "%s not done: an override counts for one revision, and version %s, which is declared, has none yet: it would be of %s, and %s "+
		"would go its way. To stop everything: %s. To write spec.phase, which Git may undo: %s", p.verb.name, r.Spec.Version,
		cmp.Or(version, "nothing"), r.Spec.Version, say(r, "pause"), say(r, p.verb.name, "--force"))
}

// sick refuses to give up the way back while production is not well: the wish would stay, and be carried out at the first good reading.
func (p phaseChange) sick(r *v1alpha1.Release) error {
	ready := condition(r, v1alpha1.ConditionReady)
	if p.verb.phase != v1alpha1.PhaseComplete || p.flags.force || r.Status.Stable == nil || ready.Reason != v1alpha1.ReasonUnhealthy {
		return nil
	}
	return exitf(ExitRefused, "%s not done: production is not healthy (%s), and the servers of %s are the way back: %s. To ask for it all the same: %s",
		p.verb.name, ready.Message, r.Status.Stable.Version, sayPhase(r, "rollback"), sayPhase(r, p.verb.name, "--force"))
}

// overridden refuses a phase that would not count, because spec.override does.
func (p phaseChange) overridden(r *v1alpha1.Release) error {
	o := r.Spec.Override
	if o == nil || o.Phase == p.verb.phase || p.flags.override || p.flags.endOverride || !overrideCounts(r) {
		return nil
	}
	return exitf(ExitRefused, "%s not done: %s, and counts instead of spec.phase. To end it in the same edit: %s; to replace it: %s",
		p.verb.name, r.Status.EffectivePhaseMessage, say(r, p.verb.name, "--end-override"), say(r, p.verb.name, "--override"))
}

// inGit refuses a phase that Git would undo, with what to do instead.
func (p phaseChange) inGit(r *v1alpha1.Release) error {
	owner := gitOwner(r, fieldPhase)
	if owner == "" || p.flags.override || p.flags.force {
		return nil
	}
	ways := "commit this to the manifest instead:\n" + commit(r, p.verb.phase) + "\n"
	if p.verb.phase != v1alpha1.PhaseComplete {
		ways += fmt.Sprintf("or, in an emergency, override Git for version %s until a deadline: %s\n", r.Spec.Version,
			say(r, p.verb.name, "--override", "--reason '…'"))
	}
	return exitf(ExitRefused, "%s not done: spec.phase of %s is managed by %s, which would undo this edit.\n%sor write it all the same: %s",
		p.verb.name, r.Name, owner, ways, say(r, p.verb.name, "--force"))
}

// effects are those of the verb, and what becomes of the override.
func (p phaseChange) effects(r *v1alpha1.Release) []string {
	lines := p.verb.effects(r)
	switch {
	case p.flags.override:
		return append(lines, fmt.Sprintf("writes spec.override for revision %s; it ends by itself in %s, or with the next version", target(r),
			duration.HumanDuration(p.flags.expires)), "! "+afterOverride(r, p.verb.phase))
	case p.flags.endOverride && r.Spec.Override != nil:
		lines = append(lines, "ends spec.override")
	}
	if owner := gitOwner(r, fieldPhase); owner != "" {
		lines = append(lines, owner+" will undo it")
	} else if in := applied(r, fieldPhase); in != "" && in != string(p.verb.phase) {
		lines = append(lines, fmt.Sprintf("! the manifest that was applied last says phase: %s, and applying it again brings that back: write phase: %s "+
			"and phaseFor: %s there, or leave phase out of it", in, p.verb.phase, quote(string(r.Spec.Version))))
	}
	return lines
}

// afterOverride says what happens when an override ends, unless spec.phase says something else by then.
func afterOverride(r *v1alpha1.Release, overriding v1alpha1.Phase) string {
	next := r.Status.EffectivePhase
	if r.Status.EffectivePhaseReason == v1alpha1.EffectiveByOverride {
		next = r.Status.PhaseAfterOverride
	}
	words := fmt.Sprintf("then %s counts again", cmp.Or(string(next), "no phase"))
	serves := func(phase v1alpha1.Phase) bool { return phase == v1alpha1.PhaseLive || phase == v1alpha1.PhaseComplete }
	switch {
	case serves(next) && !serves(overriding):
		return fmt.Sprintf("%s, and version %s goes back into production by itself unless spec.phase says something else by then", words, r.Spec.Version)
	case next != "" && !serves(next) && serves(overriding):
		return fmt.Sprintf("%s, and version %s leaves production by itself unless spec.phase says something else by then", words, r.Spec.Version)
	}
	return words
}

// target is the revision that the spec means: that of the candidate, else of the stable fleet.
func target(r *v1alpha1.Release) string {
	if r.Status.Candidate != nil {
		return string(r.Status.Candidate.Revision)
	}
	if r.Status.Stable != nil {
		return string(r.Status.Stable.Revision)
	}
	return ""
}

// targetVersion is the version of that revision; empty where there is none.
func targetVersion(r *v1alpha1.Release) string {
	switch {
	case r.Status.Candidate != nil:
		return string(r.Status.Candidate.Version)
	case r.Status.Stable != nil:
		return string(r.Status.Stable.Version)
	}
	return ""
}

// patch writes phase and phaseFor together, or the override alone.
func (p phaseChange) patch(r *v1alpha1.Release) map[string]any {
	if p.flags.override {
		return inSpec(map[string]any{"override": map[string]any{
			"revision": target(r), "phase": p.verb.phase, "reason": orNull(p.flags.reason), "by": orNull(cmp.Or(p.flags.by, userName())),
			"expiresAt": p.now().Add(p.flags.expires).UTC().Format(time.RFC3339),
		}})
	}
	spec := map[string]any{"phase": p.verb.phase, "phaseFor": string(r.Spec.Version)}
	if p.flags.endOverride {
		spec["override"] = nil
	}
	return inSpec(spec)
}

// orNull is a value of a merge patch: what is empty takes out what an older override left.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// userName is who sits at this machine; empty where nobody knows.
func userName() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
