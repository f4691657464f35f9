package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/api/v1alpha1"
)

func newPause(o *Options) *cobra.Command {
	return newSimple(o, simple{
		name: "pause", short: "Stop every call to AWS for a Release, and all its clocks",
		long: `Sets spec.paused: nothing is launched, registered, taken out or terminated, and no clock runs. Two things go on:
deletion, and a rollback that a person asks for.`,
		field: fieldPaused, eligible: func(r *v1alpha1.Release) bool { return !r.Spec.Paused },
		check: func(r *v1alpha1.Release) string {
			if r.Spec.Paused {
				return "it is paused already"
			}
			return ""
		},
		effects: func(r *v1alpha1.Release) []string {
			state, _ := headline(r)
			return []string{"stops where it is now: " + state, "production stays as it is; a rollback still works, and so does deletion"}
		},
		patch: func(*v1alpha1.Release, time.Time) map[string]any {
			return inSpec(map[string]any{fieldPaused: true})
		},
		goal: func(*v1alpha1.Release) goal { return goalPaused },
	})
}

func newResume(o *Options) *cobra.Command {
	return newSimple(o, simple{
		name: "resume", short: "Let a paused Release go on",
		long:  "Takes spec.paused out again: Slipway goes on from where it stopped, and clocks run again.",
		field: fieldPaused, eligible: func(r *v1alpha1.Release) bool { return r.Spec.Paused },
		check: func(r *v1alpha1.Release) string {
			if !r.Spec.Paused {
				return "it is not paused"
			}
			return ""
		},
		effects: func(r *v1alpha1.Release) []string {
			return []string{fmt.Sprintf("goes on towards %s", askedWords(r))}
		},
		patch: func(*v1alpha1.Release, time.Time) map[string]any {
			return inSpec(map[string]any{fieldPaused: nil})
		},
		goal: goalOf,
	})
}

func newRetry(o *Options) *cobra.Command {
	return newSimple(o, simple{
		name: "retry", short: "Try again after a verdict, or after launches were given up",
		long: `Gives the annotation slipway.dev/retry a new value: that clears the verdict of a failed promotion or an automatic
rollback, launches again what was given up, and has a Release looked at again that a defect had stopped. What phase
asks for is then tried anew: after a failed promotion that is the promotion.`,
		eligible: waitsForRetry,
		check: func(r *v1alpha1.Release) string {
			if waitsForRetry(r) {
				return ""
			}
			if failedFirst(r) {
				return "there is no verdict to clear: version " + string(r.Spec.Version) + " is the first, and goes Live by itself once its servers are healthy"
			}
			if stalled := condition(r, v1alpha1.ConditionStalled); is(r, v1alpha1.ConditionStalled) {
				return "it is stalled by " + stalled.Reason + ", which is tried again by itself within two minutes: " + stalled.Message
			}
			return "nothing waits for it"
		},
		effects: func(r *v1alpha1.Release) []string {
			stalled := condition(r, v1alpha1.ConditionStalled)
			lines := []string{"clears " + stalled.Reason + ": " + stalled.Message}
			if phase := meant(r); phase == v1alpha1.PhaseLive || phase == v1alpha1.PhaseComplete {
				lines = append(lines, "then "+string(r.Spec.Phase)+" is asked for again, as spec.phase says:")
				return append(lines, promoteEffects(r)...)
			}
			return lines
		},
		patch: func(_ *v1alpha1.Release, now time.Time) map[string]any {
			return map[string]any{"metadata": map[string]any{"annotations": map[string]any{
				v1alpha1.AnnotationRetry: now.UTC().Format(time.RFC3339Nano),
			}}}
		},
		goal: goalOf,
	})
}

// waitsForRetry says whether a Release waits for the word to try again.
func waitsForRetry(r *v1alpha1.Release) bool {
	return waitsForWord(r) || r.Status.EffectivePhaseReason == v1alpha1.EffectiveByVerdict
}

// simple is a change that is not about the phase.
type simple struct {
	name, short, long string
	field             string // that Git may own; empty for none
	eligible          func(*v1alpha1.Release) bool
	check             func(*v1alpha1.Release) (nothing string)
	effects           func(*v1alpha1.Release) []string
	patch             func(*v1alpha1.Release, time.Time) map[string]any
	goal              func(*v1alpha1.Release) goal
}

func newSimple(o *Options, s simple) *cobra.Command {
	var f changeFlags
	var force bool
	cmd := &cobra.Command{
		Use: s.name + " NAME", Short: s.short, Long: s.long,
		Args: args(cobra.ExactArgs(1)), ValidArgsFunction: completeReleases(o, s.eligible),
	}
	f.add(cmd)
	if s.field != "" {
		cmd.Flags().BoolVar(&force, "force", false, "write spec."+s.field+" though it comes from Git, which will undo it")
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, namespace, err := o.open()
		if err != nil {
			return err
		}
		ch := &change{o: o, c: c, verb: s.name, flags: &f, out: out, effects: s.effects}
		if s.field != fieldPaused { // to stop makes sense whatever was seen
			ch.patience = sightTimeout
		}
		ch.patch = func(r *v1alpha1.Release) map[string]any { return s.patch(r, o.Now()) }
		ch.check = func(r *v1alpha1.Release) (string, error) {
			if nothing := s.check(r); nothing != "" {
				return nothing, nil
			}
			if owner := gitOwner(r, s.field); s.field != "" && owner != "" && !force {
				return "", exitf(ExitRefused,
					"%s not done: spec.%s of %s is managed by %s, which would undo this edit: take it out of the manifest, where it does not belong, or: %s",
					s.name, s.field, r.Name, owner, say(r, s.name, "--force"))
			}
			return "", nil
		}
		return ch.makeAndWait(cmd.Context(), namespace, args[0], s.goal)
	}
	return cmd
}
