package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
)

func newDiff(o *Options) *cobra.Command {
	var show bool
	var form answerForm
	cmd := &cobra.Command{
		Use:   "diff NAME [FROM [TO]]",
		Short: "Show what differs between two revisions of a Release",
		Long: `Shows what two revisions were made of, where they differ: version, image as written and as it was looked up, and
template. FROM and TO are versions or names of revisions, as history lists them. FROM defaults to the stable revision,
TO to the candidate.

User data is shown as a digest, because it may hold secrets. --show-user-data shows it, if you may read it: inline user
data is in the revision, that of a Secret or ConfigMap in a Secret of the revision's name.`,
		Example: `  kubectl slipway diff web
  kubectl slipway diff web 2026.11.21-3 2026.11.22-1
  kubectl slipway diff web -o json | jq .to.made.template`,
		Args:              args(cobra.RangeArgs(1, 3)),
		ValidArgsFunction: completeRevisions(o),
	}
	cmd.Flags().BoolVar(&show, "show-user-data", false, "show user data and not its digest; it may hold secrets")
	form.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := form.valid(); err != nil {
			return err
		}
		c, r, err := o.find(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		from, to, err := compared(r, args[1:])
		if err != nil {
			return err
		}
		before, err := describe(cmd.Context(), c, r, from, show)
		if err != nil {
			return err
		}
		after, err := describe(cmd.Context(), c, r, to, show)
		if err != nil {
			return err
		}
		text, err := unified(before, after)
		if err != nil {
			return err
		}
		if text == "" {
			fmt.Fprintf(o.ErrOut, "%s and %s are the same\n", from, to)
		}
		return form.write(o, difference{before, after, text}, func() []string { return diffLines(o.painter(), text) })
	}
	return cmd
}

// compared are the revisions that are meant.
func compared(r *v1alpha1.Release, words []string) (from, to string, err error) {
	if r.Status.Stable != nil {
		from = string(r.Status.Stable.Revision)
	}
	to = target(r)
	if len(words) > 0 {
		if from, err = findRevision(r, words[0]); err != nil {
			return "", "", err
		}
	}
	if len(words) > 1 {
		if to, err = findRevision(r, words[1]); err != nil {
			return "", "", err
		}
	}
	switch {
	case to == "":
		return "", "", exitf(ExitNotFound, "%s has no revision yet", r.Name)
	case from == "" || len(words) == 0 && from == to:
		return "", "", exitf(ExitUsage, "%s has one fleet alone, so say what to compare; its revisions: %s", r.Name, say(r, "history"))
	}
	return from, to, nil
}

// recorded is what a ControllerRevision of a Release holds. Fields that are not here are shown as they are.
type recorded struct {
	AsWritten      map[string]any `json:"asWritten,omitempty"`
	Image          string         `json:"image,omitempty"`
	Owner          string         `json:"owner,omitempty"`
	OwnerAlias     string         `json:"ownerAlias,omitempty"`
	UserDataSecret string         `json:"userDataSecret,omitempty"`
	UserDataHash   string         `json:"userDataHash,omitempty"`
}

// described is a revision as it is compared.
type described struct {
	Revision string         `json:"revision"`
	Made     map[string]any `json:"made"`
}

// difference is what scripts get: both revisions as they are compared, and what a person sees of it, which is empty where they are the same.
type difference struct {
	From    described `json:"from"`
	To      described `json:"to"`
	Unified string    `json:"unified"`
}

// unified is a unified diff of two revisions as YAML; empty where they are the same.
func unified(before, after described) (string, error) {
	from, err := yaml.Marshal(before.Made)
	if err != nil {
		return "", err
	}
	to, err := yaml.Marshal(after.Made)
	if err != nil {
		return "", err
	}
	return difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(strings.TrimSuffix(string(from), "\n")), B: difflib.SplitLines(strings.TrimSuffix(string(to), "\n")),
		FromFile: before.Revision, ToFile: after.Revision, Context: 2,
	})
}

// describe is what a revision was made of.
func describe(ctx context.Context, c client.Reader, r *v1alpha1.Release, name string, show bool) (described, error) {
	var stored appsv1.ControllerRevision
	err := c.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: name}, &stored)
	switch {
	case apierrors.IsNotFound(err):
		return described{}, exitf(ExitNotFound, "revision %s is recorded no more: revisionHistoryLimit keeps %d of those without servers", name,
			r.Spec.RevisionHistoryLimit)
	case err != nil:
		return described{}, err
	}
	var data recorded
	if err := json.Unmarshal(stored.Data.Raw, &data); err != nil {
		return described{}, fmt.Errorf("revision %s cannot be read: %w", name, err)
	}
	shown := map[string]any{"resolved image": map[string]any{"id": data.Image, "owner": data.Owner, "ownerAlias": data.OwnerAlias}}
	userData, err := userDataOf(ctx, c, r.Namespace, data, show)
	if err != nil {
		return described{}, err
	}
	if userData != "" {
		shown["user data"] = userData
	}
	maps.Copy(shown, data.AsWritten)
	return described{name, shown}, nil
}

// userDataOf takes user data out of what was written and gives it as a digest, or as it is where that was asked for.
func userDataOf(ctx context.Context, c client.Reader, namespace string, data recorded, show bool) (string, error) {
	template, _ := data.AsWritten["template"].(map[string]any)
	written, _ := template["userData"].(map[string]any)
	inline, _ := written["inline"].(string)
	delete(written, "inline")
	switch {
	case inline != "" && show:
		return inline, nil
	case inline != "":
		sum := sha256.Sum256([]byte(inline))
		return fmt.Sprintf("%d bytes, sha256:%s", len(inline), hex.EncodeToString(sum[:])), nil
	case data.UserDataSecret == "":
		return "", nil
	case !show:
		return data.UserDataHash, nil
	}
	var copied corev1.Secret
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: data.UserDataSecret}, &copied); err != nil {
		return "", fmt.Errorf("user data: %w", err)
	}
	var text []string
	for _, value := range copied.Data {
		text = append(text, string(value))
	}
	if len(text) != 1 {
		return "", errors.New("user data: Secret " + data.UserDataSecret + " does not have one key")
	}
	return text[0], nil
}

// diffLines are a diff in colours.
func diffLines(p painter, text string) []string {
	if text == "" {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		switch {
		case strings.HasPrefix(line, "+"):
			lines[i] = p.in(good, line)
		case strings.HasPrefix(line, "-"):
			lines[i] = p.in(bad, line)
		case strings.HasPrefix(line, "@@"):
			lines[i] = p.in(faint, line)
		}
	}
	return lines
}
