package install

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// right is one verb on one kind of object: the smallest part that can be dropped from a rule.
type right struct {
	namespace string // empty: in the whole cluster
	verb      string
	group     string
	resource  string // with the subresource
	name      string // empty: any
}

func (r right) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s.%s %s in %q", r.verb, r.resource, r.group, r.name, r.namespace))
}

// allows reports whether the right is enough for a request, which names all that there is to name.
func (r right) allows(asked right) bool {
	return (r.namespace == "" || r.namespace == asked.namespace) && r.verb == asked.verb && r.group == asked.group && r.resource == asked.resource &&
		(r.name == "" || r.name == asked.name)
}

// heldBy takes rules apart.
func heldBy(namespace string, rules []rbacv1.PolicyRule) []right {
	var all []right
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					for _, name := range append(rule.ResourceNames, map[bool][]string{true: {""}}[len(rule.ResourceNames) == 0]...) {
						all = append(all, right{namespace, verb, group, resource, name})
					}
				}
			}
		}
	}
	return all
}

// rule is the right as a rule.
func (r right) rule() rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{Verbs: []string{r.verb}, APIGroups: []string{r.group}, Resources: []string{r.resource}}
	if r.name != "" {
		rule.ResourceNames = []string{r.name}
	}
	return rule
}

// sample is a request that was sent.
type sample struct {
	right
	method, url, contentType string
	body                     []byte
}

// requests are the manager's to the API server: one of each kind.
type requests struct {
	mu      sync.Mutex
	samples map[right]sample
	refused []string
}

// recorded is a configuration whose clients' requests are noted.
func (r *requests) recorded(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.ContentType = "application/json"
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return noting{next, r} })
	return config
}

type noting struct {
	http.RoundTripper
	requests *requests
}

var infos = request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}

// RoundTrip implements http.RoundTripper.
func (n noting) RoundTrip(sent *http.Request) (*http.Response, error) {
	info, err := infos.NewRequestInfo(sent)
	if err != nil {
		return nil, err
	}
	var body []byte
	if sent.Body != nil && sent.GetBody != nil {
		copied, err := sent.GetBody()
		if err != nil {
			return nil, err
		}
		if body, err = io.ReadAll(copied); err != nil {
			return nil, err
		}
	}
	answer, err := n.RoundTripper.RoundTrip(sent)
	if err != nil || !info.IsResourceRequest { // discovery is open to everybody
		return answer, err
	}
	asked := right{info.Namespace, info.Verb, info.APIGroup, strings.TrimSuffix(info.Resource+"/"+info.Subresource, "/"), info.Name}
	if info.Resource == "namespaces" {
		asked.namespace = "" // they are in none, whatever their path looks like
	}
	n.requests.mu.Lock()
	defer n.requests.mu.Unlock()
	if answer.StatusCode == http.StatusForbidden {
		n.requests.refused = append(n.requests.refused, asked.String())
	}
	n.requests.samples[asked] = sample{asked, sent.Method, sent.URL.String(), sent.Header.Get("Content-Type"), body}
	return answer, nil
}

// granted are the manager's rights by a manifest, beside those that everybody has, with the role that each is in.
func (c *cluster) granted() map[right]client.Object {
	c.t.Helper()
	ctx, all := c.t.Context(), map[right]client.Object{}
	mine := func(subjects []rbacv1.Subject) bool {
		return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
			return s.Kind == rbacv1.ServiceAccountKind && s.Name == account && s.Namespace == systemNamespace
		})
	}
	var everywhere rbacv1.ClusterRoleBindingList
	c.Expect(c.admin.List(ctx, &everywhere)).To(Succeed())
	for _, binding := range everywhere.Items {
		if mine(binding.Subjects) {
			role := &rbacv1.ClusterRole{}
			c.Expect(c.admin.Get(ctx, client.ObjectKey{Name: binding.RoleRef.Name}, role)).To(Succeed())
			for _, r := range heldBy("", role.Rules) {
				all[r] = role
			}
		}
	}
	var local rbacv1.RoleBindingList
	c.Expect(c.admin.List(ctx, &local)).To(Succeed())
	for _, binding := range local.Items {
		if mine(binding.Subjects) {
			role := &rbacv1.Role{}
			c.Expect(c.admin.Get(ctx, client.ObjectKey{Namespace: binding.Namespace, Name: binding.RoleRef.Name}, role)).To(Succeed())
			for _, r := range heldBy(binding.Namespace, role.Rules) {
				all[r] = role
			}
		}
	}
	return all
}

// blocksOwner is the one right that no request asks for by name: the API server asks for it when an object is made whose owner may not
// go before it.
var blocksOwner = right{verb: "update", group: "slipway.dev", resource: "releases/finalizers"}

// uses finds, for every right, a request that needs it. Rights that nothing needs, and requests that were refused, fail the test.
func (r *requests) uses(c *cluster, granted map[right]client.Object) map[right]sample {
	c.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	c.Expect(r.refused).To(BeEmpty(), "the API server refused these")
	used := map[right]sample{}
	for asked, s := range r.samples {
		for have := range granted {
			if have.allows(asked) {
				used[have] = s
			}
		}
		if asked.resource == "controllerrevisions" && asked.verb == "create" {
			for have := range granted {
				if have.verb == blocksOwner.verb && have.resource == blocksOwner.resource && (have.namespace == "" || have.namespace == asked.namespace) {
					used[have] = s
				}
			}
		}
	}
	var idle []string
	for have := range granted {
		if _, ok := used[have]; !ok {
			idle = append(idle, have.String())
		}
	}
	slices.Sort(idle)
	c.Expect(idle).To(BeEmpty(), "the manager has these rights and asked for nothing that needs them")
	return used
}

// everyOneIsNeeded drops each right from its role, alone, and sends the manager's request again: the API server refuses it until the
// right is back.
func (c *cluster) everyOneIsNeeded(granted map[right]client.Object, used map[right]sample, bearer string) {
	c.t.Helper()
	config := rest.AnonymousClientConfig(c.config)
	config.BearerToken = bearer
	httpClient, err := rest.HTTPClientFor(config)
	c.Expect(err).NotTo(HaveOccurred())
	for _, dropped := range slices.SortedFunc(maps.Keys(granted), func(a, b right) int { return strings.Compare(a.String(), b.String()) }) {
		answers := func() int { return used[dropped].again(c.t.Context(), httpClient) }
		c.Expect(answers()).NotTo(Equal(http.StatusForbidden), "with the right to %s", dropped)
		whole := granted[dropped]
		c.write(whole, func(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
			var left []rbacv1.PolicyRule
			for _, r := range heldBy(whole.GetNamespace(), rules) {
				if r != dropped {
					left = append(left, r.rule())
				}
			}
			return left
		})
		c.Eventually(answers, time.Minute, 20*time.Millisecond).Should(Equal(http.StatusForbidden), "without the right to %s", dropped)
		c.write(whole, func(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule { return rules })
		c.Eventually(answers, time.Minute, 20*time.Millisecond).ShouldNot(Equal(http.StatusForbidden), "with the right to %s back", dropped)
	}
}

// write gives a role rules made from those that it has in the manifest.
func (c *cluster) write(role client.Object, rules func([]rbacv1.PolicyRule) []rbacv1.PolicyRule) {
	c.t.Helper()
	role = role.DeepCopyObject().(client.Object)
	role.SetResourceVersion("")
	switch role := role.(type) {
	case *rbacv1.ClusterRole:
		role.Rules = rules(role.Rules)
	case *rbacv1.Role:
		role.Rules = rules(role.Rules)
	}
	c.Expect(c.admin.Update(c.t.Context(), role)).To(Succeed())
}

// again sends the request once more, without an effect, and gives the answer's code.
func (s sample) again(ctx context.Context, with *http.Client) int {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	url := s.url
	if s.method != http.MethodGet {
		url += map[bool]string{true: "&", false: "?"}[strings.Contains(url, "?")] + "dryRun=All"
	}
	sent, err := http.NewRequestWithContext(ctx, s.method, url, bytes.NewReader(s.body))
	if err != nil {
		return 0
	}
	sent.Header.Set("Content-Type", s.contentType)
	answer, err := with.Do(sent)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}
