package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/checkup"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// checkupCommand is how it is asked for again.
const checkupCommand = "kubectl slipway doctor"

// Checkup finds out whether the Releases of a class could be deployed: whose the credentials are, what they are permitted, what is wrong
// with the pools, and what limits there are. No class means the default one. It changes nothing, in Kubernetes or in AWS, and reads no
// Secret. What it cannot find out it says, too; the error is trouble with Kubernetes.
func (r *ReleaseReconciler) Checkup(ctx context.Context, class string) (*checkup.Checkup, error) {
	ctx = cloud.WithLane(ctx, cloud.LaneBackground)
	e := &examining{r: r, Checkup: &checkup.Checkup{Cluster: r.Cluster}}
	if class == checkup.Default {
		class = ""
	}
	if ready, err := e.open(ctx, class); err != nil || !ready {
		return e.Checkup, err
	}
	err := contained(ctx, func() error {
		if !e.credentials(ctx) {
			return nil
		}
		e.permissions(ctx)
		e.pools(ctx)
		e.quotas(ctx)
		return nil
	})
	return e.Checkup, err
}

// examining is a checkup in the making.
type examining struct {
	*checkup.Checkup

	r        *ReleaseReconciler
	class    *v1alpha1.ReleaseClass
	account  *cloud.Account
	exam     cloud.Examination
	releases []*v1alpha1.Release // of the class, and allowed by it
	seen     []examinedPool
}

func (e *examining) note(area, subject string, state checkup.State, advice, message string, args ...any) {
	e.Add(checkup.Check{Area: area, Subject: subject, State: state, Message: fmt.Sprintf(message, args...), Advice: advice})
}

// refused notes what AWS refused, or did not answer. Only that there were too many calls, or that the checkup's own time was over, says
// nothing of the thing.
func (e *examining) refused(ctx context.Context, area, subject string, err error) {
	check := checkup.Check{Area: area, Subject: subject, State: checkup.Fail, Message: err.Error()}
	if understood, is := errors.AsType[*cloud.Error](err); is {
		check.Message = fmt.Sprintf("%s: %s (%s)", understood.Thing, understood.Message, understood.Code)
		check.Advice = understood.Advice
		if understood.Kind == cloud.Denied {
			check.Advice = fmt.Sprintf("Compare the IAM policy with config/iam/policy.json (docs/install.md, step 3), for CLUSTER_NAME %s", e.Cluster)
		}
	}
	switch {
	case cloud.KindOf(err) == cloud.Throttled || ctx.Err() != nil && cloud.KindOf(err) == cloud.Unknown:
		check.State, check.Advice = checkup.Untried, "Ask again in a minute: "+checkupCommand
	case unanswered(err):
		check.Advice = "See that the manager's pods reach this service in " + e.Region + ": " + waysOut + "; then ask again: " + checkupCommand
	}
	e.Add(check)
}

// waysOut are what usually is wrong where nothing of AWS answers.
const waysOut = "egress that network policies and security groups allow, a VPC endpoint where there is no way to the internet, HTTPS_PROXY " +
	"where there is a proxy"

// unanswered: the network, and not AWS, says so; the end of a call's own time is such an error, too.
func unanswered(err error) bool {
	_, network := errors.AsType[net.Error](err)
	return network && cloud.KindOf(err) == cloud.Unknown
}

// open finds the class, its Releases and its account. It makes no call to AWS.
func (e *examining) open(ctx context.Context, name string) (ready bool, err error) {
	class, problem, err := e.r.resolveClass(ctx, &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{ClassName: name}}, place{})
	if err != nil {
		return false, err
	}
	if problem.Some() {
		message, advice := problem.Message, "Make a ReleaseClass (docs/install.md, step 6), or name one: "+checkupCommand+" --class NAME"
		if problem.Reason == rollout.ReasonClassNotFound {
			message = "there is no ReleaseClass " + name
		}
		e.note(checkup.AreaCredentials, "ReleaseClass", checkup.Fail, advice, "%s", message)
		return false, nil
	}
	if err := e.r.Shard.admit(class); err != nil {
		e.note(checkup.AreaCredentials, "ReleaseClass", checkup.Fail,
			"Ask that one: "+checkupCommand+" --class "+class.Name+" --manager-namespace NAMESPACE", "%v", err)
		return false, nil
	}
	e.class, e.Class, e.Account, e.Region = class, class.Name, class.Spec.AccountID, class.Spec.Region
	e.account, err = e.r.Cloud.Open(cloud.Class{
		Name: class.Name, Region: class.Spec.Region, AccountID: class.Spec.AccountID,
		RoleARN: class.Spec.RoleARN, ExternalID: class.Spec.ExternalID, Cluster: e.r.Cluster,
	})
	if err != nil {
		e.note(checkup.AreaCredentials, "who we are", checkup.Fail, "Give the manager's pods a role (docs/install.md, step 4)",
			"ReleaseClass %s cannot be used: %v", class.Name, err)
		return false, nil
	}
	if e.account.Examine == nil {
		e.note(checkup.AreaCredentials, "account", checkup.Untried, "", "this manager cannot examine accounts")
		return false, nil
	}
	e.exam = e.account.Examine()
	return true, e.find(ctx)
}

// find lists the Releases of the class. Those that ask for what the class does not allow get no calls, and are not examined.
func (e *examining) find(ctx context.Context) error {
	var all v1alpha1.ReleaseList
	if err := e.r.List(ctx, &all); err != nil {
		return fmt.Errorf("list Releases: %w", err)
	}
	for i := range all.Items {
		rel := &all.Items[i]
		if !e.ofClass(rel) || rel.DeletionTimestamp != nil {
			continue
		}
		namespace, err := e.r.namespaceProblem(ctx, rel.Namespace, e.class)
		if err != nil {
			return err
		}
		problems := []rollout.Problem{namespace, poolsProblem(rel.Spec.LoadBalancers, e.class), templateProblem(rel.Spec.Template, e.class)}
		at := slices.IndexFunc(problems, rollout.Problem.Some)
		if at < 0 {
			e.releases = append(e.releases, rel)
			continue
		}
		e.note(checkup.AreaPermissions, "Release "+nameOf(rel), checkup.Fail, "kubectl slipway explain "+rel.Name+" -n "+rel.Namespace, "%s", problems[at].Message)
	}
	slices.SortFunc(e.releases, func(a, b *v1alpha1.Release) int { return strings.Compare(nameOf(a), nameOf(b)) })
	return nil
}

// ofClass: a Release that names no class is of the one that it began in, else of the default.
func (e *examining) ofClass(rel *v1alpha1.Release) bool {
	if rel.Spec.ClassName != "" {
		return rel.Spec.ClassName == e.class.Name
	}
	last := e.r.soft.reading(types.NamespacedName{Namespace: rel.Namespace, Name: rel.Name})
	if last != nil && last.obs.place.Class != "" {
		return last.obs.place.Class == e.class.Name
	}
	return e.class.IsDefault()
}

func nameOf(rel *v1alpha1.Release) string { return rel.Namespace + "/" + rel.Name }

// credentials asks whose they are. Without any there is nothing more to ask.
func (e *examining) credentials(ctx context.Context) (good bool) {
	const subject = "who we are"
	caller, err := e.exam.Facts.Caller(ctx)
	switch {
	case err != nil:
		e.unidentified(ctx, subject, err)
	case caller.Account != e.class.Spec.AccountID:
		e.note(checkup.AreaCredentials, subject, checkup.Fail, "Mend roleARN or accountID of the class, or the manager's credentials (docs/install.md, step 4)",
			"%s is of account %s, and ReleaseClass %s is for account %s", caller.Name, caller.Account, e.class.Name, e.class.Spec.AccountID)
	default:
		e.note(checkup.AreaCredentials, subject, checkup.OK, "", "%s, account %s, %s", caller.Name, caller.Account, e.class.Spec.Region)
		return true
	}
	e.note(checkup.AreaPermissions, "everything", checkup.Untried, "", "not without credentials for the account; nor were load balancers and quotas looked at")
	return false
}

// unidentified notes why nobody knows whose the credentials are. It is the first call, so the checkup has not run out of time by its own
// doing: where nothing answers, nothing will. An installation without a way to STS ends here.
func (e *examining) unidentified(ctx context.Context, subject string, err error) {
	e.refused(context.WithoutCancel(ctx), checkup.AreaCredentials, subject, err)
	switch last := &e.Checks[len(e.Checks)-1]; {
	case last.State == checkup.Untried:
	case cloud.KindOf(err) == cloud.Denied:
		last.Advice = "Give the manager's pods a role (docs/install.md, step 4); for a class with roleARN, let them assume it (the same page, several accounts)"
	case last.Advice == "" || unanswered(err):
		last.Advice = "See that the manager's pods have a role (docs/install.md, step 4), and that they reach STS in " + e.Region + ": " + waysOut +
			"; then ask again: " + checkupCommand
	}
}

// named lists a few names: "shop/api, shop/web and 3 more".
func named(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// examinedPool is a pool of one or several Releases.
type examinedPool struct {
	declaredPool
	facts  cloud.PoolFacts
	of     []string // Releases
	peak   int      // servers of ours at a deploy's peak: candidate and stable
	zones  int      // that they are spread over, as far as subnets tell
	others int      // members that are not ours
	owned  map[types.UID]bool
}

// label is what the pool is called in AWS and in the spec.
func (p examinedPool) label() string {
	return fmt.Sprintf("%s (%s of %s)", p.names[0], p.name, named(p.of))
}

// poolsToExamine are the pools of all Releases, each once, in the order of their references.
func poolsToExamine(releases []*v1alpha1.Release) []examinedPool {
	byRef := map[string]*examinedPool{}
	for _, rel := range releases {
		for _, entry := range declaredPools(rel.Spec.LoadBalancers) {
			pool := byRef[entry.text]
			if pool == nil {
				pool = &examinedPool{declaredPool: entry, owned: map[types.UID]bool{}}
				byRef[entry.text] = pool
			}
			pool.of = append(pool.of, nameOf(rel))
			pool.owned[rel.UID] = true
			pool.peak = max(pool.peak, 2*int(rel.Spec.Replicas))
			pool.zones = max(pool.zones, len(rel.Spec.Template.SubnetIDs), 1)
		}
	}
	pools := make([]examinedPool, 0, len(byRef))
	for _, pool := range byRef {
		pools = append(pools, *pool)
	}
	slices.SortFunc(pools, func(a, b examinedPool) int { return cmp.Compare(a.text, b.text) })
	return pools
}
