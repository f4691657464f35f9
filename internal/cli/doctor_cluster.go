package cli

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/checkup"
)

// maxStalled bounds how many stalled Releases are named.
const maxStalled = 10

// clusterCheckup are the checks that need no manager.
type clusterCheckup struct {
	o      *Options
	from   planSource
	c      client.Client
	checks []checkup.Check
}

func (e *clusterCheckup) note(area, subject string, state checkup.State, advice, message string, args ...any) {
	e.checks = append(e.checks, checkup.Check{Area: area, Subject: subject, State: state, Message: fmt.Sprintf(message, args...), Advice: advice})
}

// unread notes that something could not be looked at: without permission that says nothing of the thing.
func (e *clusterCheckup) unread(area, subject, what string, err error) {
	switch {
	case unknownKind(err):
		e.note(area, subject, checkup.Fail, "Install Slipway's definitions (docs/install.md, step 2)", "this cluster does not know Slipway's kinds")
	case apierrors.IsForbidden(err):
		e.note(area, subject, checkup.Untried, "", "you may not %s", what)
	default:
		e.note(area, subject, checkup.Fail, "Ask again; if it lasts, look at the API server", "could not %s: %v", what, err)
	}
}

// look makes the checks; one does not wait for another's success. Without the API server there are none.
func (e *clusterCheckup) look(ctx context.Context) (reachable bool) {
	if !e.server() {
		return false
	}
	c, err := e.o.Client()
	if err != nil {
		e.note(checkup.AreaCluster, "client", checkup.Fail, "", "%v", err)
		return false
	}
	e.c = c
	for _, check := range []func(context.Context){
		func(ctx context.Context) { e.definition(ctx, "releases", reflect.TypeFor[v1alpha1.Release]()) },
		func(ctx context.Context) {
			e.definition(ctx, "releaseclasses", reflect.TypeFor[v1alpha1.ReleaseClass]())
		},
		e.deployment, e.lease, e.classes, e.stalled,
	} {
		within, cancel := context.WithTimeout(ctx, versionTimeout)
		check(within)
		cancel()
	}
	return true
}

// server asks for the API server's version, which everybody may.
func (e *clusterCheckup) server() (reachable bool) {
	const subject, advice = "API server", "See that the address in your kubeconfig is right and can be reached: kubectl cluster-info"
	config, err := e.o.Flags.ToRESTConfig()
	if err == nil {
		config.Timeout = versionTimeout
		version, versionErr := serverVersion(config)
		if versionErr == nil {
			e.note(checkup.AreaCluster, subject, checkup.OK, "", "Kubernetes %s at %s", version, config.Host)
			return true
		}
		if status, is := errors.AsType[*apierrors.StatusError](versionErr); is && !apierrors.IsUnauthorized(versionErr) {
			e.note(checkup.AreaCluster, subject, checkup.OK, "", "answers at %s, and does not tell its version: %v", config.Host, status)
			return true
		}
		err = versionErr
	}
	e.note(checkup.AreaCluster, subject, checkup.Fail, advice, "%v", err)
	return false
}

// definition looks at a CustomResourceDefinition: is it in force, with the version and the fields that this program knows?
func (e *clusterCheckup) definition(ctx context.Context, plural string, kind reflect.Type) {
	name, version := plural+"."+v1alpha1.GroupVersion.Group, v1alpha1.GroupVersion.Version
	const advice = "Apply the definitions of this version (docs/install.md, Upgrading)"
	var crd apiextensionsv1.CustomResourceDefinition
	err := e.c.Get(ctx, client.ObjectKey{Name: name}, &crd)
	if apierrors.IsNotFound(err) {
		e.note(checkup.AreaDefinitions, plural, checkup.Fail, "Install Slipway's definitions (docs/install.md, step 2)", "not installed")
		return
	}
	if err != nil {
		e.unread(checkup.AreaDefinitions, plural, "read CustomResourceDefinitions", err)
		return
	}
	at := slices.IndexFunc(crd.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == version && v.Served })
	established := slices.ContainsFunc(crd.Status.Conditions, func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
	})
	switch {
	case !established:
		e.note(checkup.AreaDefinitions, plural, checkup.Fail, "kubectl describe crd "+name, "the API server has not accepted it: it is not Established")
	case at < 0:
		e.note(checkup.AreaDefinitions, plural, checkup.Fail, advice, "version %s, which this program speaks, is not served", version)
	case !crd.Spec.Versions[at].Storage:
		e.note(checkup.AreaDefinitions, plural, checkup.Warn, "Take the program of the manager's release", "another version than %s is stored", version)
	default:
		e.fields(plural, version, kind, crd.Spec.Versions[at].Schema, advice)
	}
}

// fields compares the fields that this program knows with those of the definition: the API server drops what it does not know.
func (e *clusterCheckup) fields(plural, version string, kind reflect.Type, schema *apiextensionsv1.CustomResourceValidation, advice string) {
	if schema == nil || schema.OpenAPIV3Schema == nil {
		e.note(checkup.AreaDefinitions, plural, checkup.Fail, advice, "version %s has no schema", version)
		return
	}
	var missing []string
	for _, part := range []string{"Spec", "Status"} {
		field, has := kind.FieldByName(part)
		if has {
			name := strings.ToLower(part)
			missing = append(missing, missingFields(name, field.Type, schema.OpenAPIV3Schema.Properties[name])...)
		}
	}
	if len(missing) > 0 {
		e.note(checkup.AreaDefinitions, plural, checkup.Warn, advice, "the cluster's definition is of another release: it does not have %s", firstOf(missing))
		return
	}
	e.note(checkup.AreaDefinitions, plural, checkup.OK, "", "%s/%s, with the fields that this program knows", v1alpha1.GroupVersion.Group, version)
}

// firstOf names the first three: "a, b, c and 4 more".
func firstOf(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// missingFields are the JSON fields of a Go type of ours that a schema does not have.
func missingFields(path string, kind reflect.Type, schema apiextensionsv1.JSONSchemaProps) (missing []string) {
	switch kind.Kind() {
	case reflect.Pointer:
		return missingFields(path, kind.Elem(), schema)
	case reflect.Slice:
		if schema.Items == nil || schema.Items.Schema == nil {
			return nil
		}
		return missingFields(path, kind.Elem(), *schema.Items.Schema)
	case reflect.Struct:
		if strings.HasPrefix(kind.PkgPath(), "slipway.dev/") {
			return missingIn(path, kind, schema)
		}
	default: // no fields of ours
	}
	return nil
}

// missingIn does so for a struct.
func missingIn(path string, kind reflect.Type, schema apiextensionsv1.JSONSchemaProps) (missing []string) {
	for field := range kind.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		property, has := schema.Properties[name]
		if !has {
			missing = append(missing, path+"."+name)
			continue
		}
		missing = append(missing, missingFields(path+"."+name, field.Type, property)...)
	}
	return missing
}

// deployment looks for the manager's. A manager on this machine has none.
func (e *clusterCheckup) deployment(ctx context.Context) {
	const subject = "Deployment"
	if local, err := localManager(e.o); err == nil && local != "" {
		e.note(checkup.AreaManager, subject, checkup.OK, "", "none is needed: the kubeconfig names a manager on this machine, at %s", local)
		return
	}
	found, err := managers(ctx, e.c)
	switch {
	case err != nil:
		e.unread(checkup.AreaManager, subject, "list Deployments in all namespaces", err)
	case len(found) == 0:
		e.note(checkup.AreaManager, subject, checkup.Fail, "make deploy IMG=… (docs/install.md, step 2)",
			"there is no Deployment of Slipway's manager in this cluster")
	}
	for _, d := range found {
		name := d.Namespace + "/" + d.Name
		state, advice := checkup.OK, ""
		switch {
		case d.Status.ReadyReplicas == 0:
			state, advice = checkup.Fail, "kubectl -n "+d.Namespace+" describe pods -l control-plane=controller-manager"
		case d.Status.ReadyReplicas < d.Status.Replicas:
			state, advice = checkup.Warn, "kubectl -n "+d.Namespace+" get pods -l control-plane=controller-manager"
		}
		e.note(checkup.AreaManager, subject, state, advice, "%s: %d of %d pods ready", name, d.Status.ReadyReplicas, d.Status.Replicas)
	}
}

// lease looks who leads.
func (e *clusterCheckup) lease(ctx context.Context) {
	const subject = "leader"
	if local, err := localManager(e.o); err != nil || local != "" {
		return
	}
	config, err := e.o.Flags.ToRESTConfig()
	var pod string
	if err == nil {
		pod, err = e.from.leader(ctx, config)
	}
	switch {
	case apierrors.IsForbidden(err):
		e.note(checkup.AreaManager, subject, checkup.Untried, "", "you may not read leases in namespace %s", e.from.namespace)
	case err != nil:
		e.note(checkup.AreaManager, subject, checkup.Fail, "kubectl -n "+e.from.namespace+" get pods,leases", "%v", err)
	default:
		e.note(checkup.AreaManager, subject, checkup.OK, "", "pod %s in namespace %s", pod, e.from.namespace)
	}
}

// classes: there has to be one, and one default.
func (e *clusterCheckup) classes(ctx context.Context) {
	const subject = "ReleaseClass"
	var list v1alpha1.ReleaseClassList
	if err := e.c.List(ctx, &list); err != nil {
		e.unread(checkup.AreaClasses, subject, "list ReleaseClasses", err)
		return
	}
	var names, defaults []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
		if list.Items[i].IsDefault() {
			defaults = append(defaults, list.Items[i].Name)
		}
	}
	switch {
	case len(names) == 0:
		e.note(checkup.AreaClasses, subject, checkup.Fail, "Write one (docs/install.md, step 6)", "there is none, so no Release can run anywhere")
	case len(defaults) == 0:
		e.note(checkup.AreaClasses, subject, checkup.Warn, "kubectl annotate releaseclass "+names[0]+" "+v1alpha1.AnnotationDefaultClass+"=true",
			"%s; none is the default, so every Release has to name one", firstOf(names))
	case len(defaults) > 1:
		e.note(checkup.AreaClasses, subject, checkup.Warn, "kubectl annotate releaseclass "+defaults[1]+" "+v1alpha1.AnnotationDefaultClass+"-",
			"%d are the default (%s): a Release that names none is stalled", len(defaults), firstOf(defaults))
	default:
		e.note(checkup.AreaClasses, subject, checkup.OK, "", "%s; %s is the default", firstOf(names), defaults[0])
	}
}

// stalled names Releases that wait for a person to change something. They are no fault of the installation, or may be.
func (e *clusterCheckup) stalled(ctx context.Context) {
	const subject = "Releases"
	var list v1alpha1.ReleaseList
	if err := e.c.List(ctx, &list); err != nil {
		e.unread(checkup.AreaClasses, subject, "list Releases in all namespaces", err)
		return
	}
	stalled := 0
	for i := range list.Items {
		r := &list.Items[i]
		condition := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionStalled)
		if condition == nil || condition.Status != metav1.ConditionTrue {
			continue
		}
		if stalled++; stalled <= maxStalled {
			e.note(checkup.AreaClasses, "Release "+r.Namespace+"/"+r.Name, checkup.Warn, "kubectl slipway explain "+r.Name+" -n "+r.Namespace,
				"stalled: %s", condition.Reason)
		}
	}
	switch {
	case stalled == 0:
		e.note(checkup.AreaClasses, subject, checkup.OK, "", "%d, none of them stalled", len(list.Items))
	case stalled > maxStalled:
		e.note(checkup.AreaClasses, subject, checkup.Warn, "kubectl slipway list -A", "%d more are stalled", stalled-maxStalled)
	}
}

// serverVersion is that of the API server.
func serverVersion(config *rest.Config) (string, error) {
	c, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return "", err
	}
	version, err := c.ServerVersion()
	if err != nil {
		return "", err
	}
	return version.GitVersion, nil
}
