package controllers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// User data may hold secrets. It is never part of a message, a log line or an error in this package; only its size is.

const (
	// maxUserData is what EC2 takes, in bytes before base64.
	maxUserData = 16 * 1024
	// userDataKey is the key of the copy.
	userDataKey = "userdata"
)

// renderUserData replaces the three variables, and nothing else: a script may use ${…} for its own.
func renderUserData(source []byte, version, release, revision string) []byte {
	return []byte(strings.NewReplacer(
		"${SLIPWAY_VERSION}", version,
		"${SLIPWAY_RELEASE}", release,
		"${SLIPWAY_REVISION}", revision,
	).Replace(string(source)))
}

// sizeProblem: EC2 refuses user data that is too large, and so do we before anything is recorded.
func sizeProblem(rendered []byte) rollout.Problem {
	if len(rendered) <= maxUserData {
		return rollout.Problem{}
	}
	return rollout.Problem{Reason: rollout.ReasonUserDataTooLarge, Message: fmt.Sprintf(
		"user data has %d bytes after replacement and EC2 takes %d: bake the rest into the image, or let the script fetch it",
		len(rendered), maxUserData)}
}

// userData is user data as it is written, before anything is replaced in it.
type userData struct {
	source []byte
	copied bool // a revision needs a copy of it; inline user data is in the revision itself
	// problem is why it cannot be had, for a person to mend.
	problem rollout.Problem
}

// readUserData reads user data from where the spec says it is. The error is trouble with Kubernetes.
func (r *ReleaseReconciler) readUserData(ctx context.Context, namespace string, from *v1alpha1.UserData) (userData, error) {
	var found userData
	var err error
	switch {
	case from == nil:
	case from.SecretRef != nil:
		found.copied = true
		found.source, found.problem, err = r.readSecretKey(ctx, namespace, *from.SecretRef)
	case from.ConfigMapRef != nil:
		found.copied = true
		found.source, found.problem, err = r.readConfigMapKey(ctx, namespace, *from.ConfigMapRef)
	default:
		found.source = []byte(from.Inline)
	}
	return found, err
}

func (r *ReleaseReconciler) readSecretKey(ctx context.Context, namespace string, ref v1alpha1.KeyReference) ([]byte, rollout.Problem, error) {
	var secret corev1.Secret
	err := r.APIReader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, &secret)
	if unreadable(err) {
		return nil, missing(rollout.ReasonSecretNotFound, "Secret", namespace, ref, err), nil
	}
	if err != nil {
		return nil, rollout.Problem{}, fmt.Errorf("read user data: %w", err)
	}
	source, ok := secret.Data[ref.Key]
	if !ok {
		return nil, missingKey(rollout.ReasonSecretKeyNotFound, "Secret", namespace, ref), nil
	}
	return source, rollout.Problem{}, nil
}

func (r *ReleaseReconciler) readConfigMapKey(ctx context.Context, namespace string, ref v1alpha1.KeyReference) ([]byte, rollout.Problem, error) {
	var config corev1.ConfigMap
	err := r.APIReader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, &config)
	if unreadable(err) {
		return nil, missing(v1alpha1.ReasonConfigMapNotFound, "ConfigMap", namespace, ref, err), nil
	}
	if err != nil {
		return nil, rollout.Problem{}, fmt.Errorf("read user data: %w", err)
	}
	if text, ok := config.Data[ref.Key]; ok {
		return []byte(text), rollout.Problem{}, nil
	}
	if source, ok := config.BinaryData[ref.Key]; ok {
		return source, rollout.Problem{}, nil
	}
	return nil, missingKey(v1alpha1.ReasonConfigMapKeyNotFound, "ConfigMap", namespace, ref), nil
}

// unreadable: a person has to do something before this can be read.
func unreadable(err error) bool { return apierrors.IsNotFound(err) || apierrors.IsForbidden(err) }

func missing(reason, kind, namespace string, ref v1alpha1.KeyReference, err error) rollout.Problem {
	return rollout.Problem{Reason: reason, Message: fmt.Sprintf(
		"%s %s/%s, which spec.template.userData names, cannot be read (%v): create it, or allow Slipway to read it", kind, namespace, ref.Name, err)}
}

func missingKey(reason, kind, namespace string, ref v1alpha1.KeyReference) rollout.Problem {
	return rollout.Problem{Reason: reason, Message: fmt.Sprintf(
		"%s %s/%s, which spec.template.userData names, has no key %s: add it, or name another key", kind, namespace, ref.Name, ref.Key)}
}

// hashUserData is over the user data before replacement, because what is replaced has the revision's name in it.
func hashUserData(source []byte) string {
	sum := sha256.Sum256(source)
	return hex.EncodeToString(sum[:])
}

// copyUserData keeps user data in an immutable Secret of the Release, named as the revision. To do so again changes
// nothing.
func (r *ReleaseReconciler) copyUserData(ctx context.Context, rel *v1alpha1.Release, name string, source []byte) error {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: rel.Namespace, Name: name},
		Immutable:  new(true),
		Data:       map[string][]byte{userDataKey: source},
	}
	var there corev1.Secret
	found, err := r.createOwned(ctx, rel, secret, &there)
	if err == nil && found && !bytes.Equal(there.Data[userDataKey], source) {
		return fmt.Errorf("the copy of user data in Secret %s/%s is none: delete that Secret", rel.Namespace, name)
	}
	return err
}

// frozenUserData is the user data of a recorded revision as it was when that was recorded. A copy that somebody deleted is
// made again while the source still has the same content.
func (r *ReleaseReconciler) frozenUserData(ctx context.Context, rel *v1alpha1.Release, data revisionData) ([]byte, error) {
	if from := data.AsWritten.Template.UserData; data.UserDataSecret == "" {
		if from == nil {
			return nil, nil
		}
		return []byte(from.Inline), nil
	}
	var secret corev1.Secret
	err := r.APIReader.Get(ctx, types.NamespacedName{Namespace: rel.Namespace, Name: data.UserDataSecret}, &secret)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("read the copy of user data: %w", err)
	}
	if err == nil && hashUserData(secret.Data[userDataKey]) == data.UserDataHash {
		return secret.Data[userDataKey], nil
	}
	found, sourceErr := r.readUserData(ctx, rel.Namespace, data.AsWritten.Template.UserData)
	if sourceErr == nil && err != nil && hashUserData(found.source) == data.UserDataHash {
		return found.source, r.copyUserData(ctx, rel, data.UserDataSecret, found.source)
	}
	return nil, &cloud.Error{
		Kind: cloud.Invalid, Reason: rollout.ReasonSecretNotFound, Thing: "Secret " + rel.Namespace + "/" + data.UserDataSecret, Code: "UserDataLost",
		Message: "the copy of the user data of version " + string(data.AsWritten.Version) + " is gone or was changed, and its source is not what it was",
		Advice:  "Put the former content back into the source and delete this Secret if it exists, or deploy a new version",
	}
}
