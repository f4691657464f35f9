package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/notify"
)

// TestMain lets informers list as on API servers that do not stream their lists, where they need one right more.
func TestMain(m *testing.M) {
	_ = os.Setenv("KUBE_FEATURE_WatchListClient", "false")
	os.Exit(m.Run())
}

// cluster is a real API server with config/default and the component notifications on it.
type cluster struct {
	*testing.T
	config             *rest.Config
	assets, kubeconfig string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	found := exec.CommandContext(t.Context(), "go", "run", "./hack/assets") // built or found as for Slipway's own tests
	found.Dir, found.Stderr = "../..", os.Stderr
	out, err := found.Output()
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{T: t, assets: strings.TrimSpace(string(out)), kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	env := &envtest.Environment{BinaryAssetsDirectory: c.assets, ControlPlaneStartTimeout: 2 * time.Minute, ControlPlaneStopTimeout: time.Minute}
	if c.config, err = env.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	c.write(c.kubeconfig, string(env.KubeConfig))

	overlay := t.TempDir()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	config, err := filepath.Rel(overlay, filepath.Join(here, "../../config"))
	if err != nil {
		t.Fatal(err)
	}
	c.write(filepath.Join(overlay, "kustomization.yaml"), strings.ReplaceAll( // as docs/install.md has it
		"namespace: slipway-system\nnamePrefix: slipway-\nresources: [CONFIG/base]\ncomponents: [CONFIG/notifications]\n", "CONFIG", config))
	c.kubectl("apply", "--server-side", "-k", overlay)
	c.kubectl("wait", "--for=condition=Established", "crd/releases.slipway.dev", "--timeout=60s")
	return c
}

func (c *cluster) write(path, text string) {
	c.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) kubectl(args ...string) string {
	c.Helper()
	run := exec.CommandContext(c.Context(), filepath.Join(c.assets, "kubectl"), append([]string{"--kubeconfig", c.kubeconfig}, args...)...)
	var stdout, stderr bytes.Buffer
	run.Stdout, run.Stderr = &stdout, &stderr
	if err := run.Run(); err != nil {
		c.Fatalf("kubectl %v: %v\n%s", args, err, &stderr)
	}
	return stdout.String()
}

// requests passes on what the program asks the API server for, and notes it as RBAC names it.
type requests struct {
	next http.Handler
	mu   sync.Mutex
	code map[string]int // the last answer, by verb and resource
}

// used are the rights that the program asked for; one that was refused fails the test.
func (q *requests) used(t *testing.T) []string {
	t.Helper()
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []string
	for right, code := range q.code {
		if all = append(all, right); code >= http.StatusBadRequest {
			t.Errorf("%s: the API server answers %d", right, code)
		}
	}
	return all
}

// asked is what a request is to RBAC: "watch releases.slipway.dev".
func asked(r *http.Request) string {
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var group string
	if path[0] == "apis" {
		group, path = "."+path[1], path[1:]
	}
	path = path[min(len(path), 2):]
	if len(path) > 1 && path[0] == "namespaces" {
		path = path[2:]
	}
	if len(path) == 0 {
		return "discovery"
	}
	verb := strings.ToLower(r.Method)
	switch {
	case r.Method == http.MethodGet && r.URL.Query().Has("watch"):
		verb = "watch"
	case r.Method == http.MethodGet && len(path) == 1:
		verb = "list"
	}
	return verb + " " + path[0] + group
}

// ServeHTTP implements http.Handler.
func (q *requests) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q.next.ServeHTTP(&noting{ResponseWriter: w, note: func(code int) {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.code[asked(r)] = code
	}}, r)
}

type noting struct {
	http.ResponseWriter
	note func(int)
}

// WriteHeader implements http.ResponseWriter.
func (n *noting) WriteHeader(code int) {
	n.note(code)
	n.ResponseWriter.WriteHeader(code)
}

// Unwrap lets what is watched through, event by event.
func (n *noting) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// program is the service account as RBAC calls it.
const program = "slipway-notifications"

// granted are the rights that the manifests give the program, as asked names them, by all roles that are bound to it. A rule about
// ConfigMaps and Secrets has to name its own ones.
func (c *cluster) granted() (all []string) {
	c.Helper()
	var bindings struct{ Items []rbacv1.RoleBinding }
	c.get(&bindings, "clusterrolebindings,rolebindings", "-A")
	for _, binding := range bindings.Items {
		if !slices.ContainsFunc(binding.Subjects, func(s rbacv1.Subject) bool { return s.Name == program && s.Namespace == named.namespace }) {
			continue
		}
		var role rbacv1.Role
		c.get(&role, strings.ToLower(binding.RoleRef.Kind)+"/"+binding.RoleRef.Name, "-n", named.namespace)
		for _, rule := range role.Rules {
			all = append(all, rights(rule)...)
			ours := slices.Equal(rule.ResourceNames, []string{named.configMap}) || slices.Equal(rule.ResourceNames, []string{named.secret})
			if slices.Contains(rule.APIGroups, "") && !ours {
				c.Errorf("%s of %v without a name, or with another: %v", rule.Verbs, rule.Resources, rule.ResourceNames)
			}
		}
	}
	return all
}

func rights(rule rbacv1.PolicyRule) (all []string) {
	for _, verb := range rule.Verbs {
		for _, resource := range rule.Resources {
			for _, group := range rule.APIGroups {
				all = append(all, strings.TrimSuffix(verb+" "+resource+"."+group, "."))
			}
		}
	}
	return all
}

func (c *cluster) get(into any, what ...string) {
	c.Helper()
	if err := json.Unmarshal([]byte(c.kubectl(append([]string{"get", "-o", "json"}, what...)...)), into); err != nil {
		c.Fatal(err)
	}
}

// account is a kubeconfig of the program's service account, whose requests are noted on their way.
func (c *cluster) account(q *requests) string {
	c.Helper()
	direct, err := url.Parse(c.config.Host)
	if err != nil {
		c.Fatal(err)
	}
	transport, err := rest.TransportFor(&rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: c.config.CAData}}) // nobody's
	if err != nil {
		c.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(direct)
	proxy.Transport, proxy.FlushInterval = transport, -1
	q.next = proxy
	between := httptest.NewTLSServer(q) // tokens are not sent without
	c.Cleanup(between.Close)
	file := filepath.Join(c.TempDir(), "kubeconfig")
	token := c.kubectl("-n", named.namespace, "create", "token", program)
	err = clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{"c": {
			Server: between.URL, CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: between.Certificate().Raw}),
		}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"u": {Token: strings.TrimSpace(token)}},
		Contexts:  map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}}, CurrentContext: "x",
	}, file)
	if err != nil {
		c.Fatal(err)
	}
	return file
}

// runs starts the program with the arguments of its manifest.
func (c *cluster) runs(q *requests) {
	c.Helper()
	var args []string
	text := c.kubectl("-n", named.namespace, "get", "deployment", program, "-o", "jsonpath={.spec.template.spec.containers[0].args}")
	if err := json.Unmarshal([]byte(text), &args); err != nil {
		c.Fatal(err)
	}
	args = append(args, "--kubeconfig="+c.account(q), "--namespace="+named.namespace)
	ctx, stop := context.WithCancel(c.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args) }()
	c.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			c.Error(err)
		}
	})
}

// serves gives the ConfigMap a service, and makes the Secret with its token.
func (c *cluster) serves(receiver http.Handler) {
	c.Helper()
	server := httptest.NewServer(receiver)
	c.Cleanup(server.Close)
	patch, err := json.Marshal(map[string]any{"data": map[string]string{"service.webhook.sink": webhook(server)}})
	if err != nil {
		c.Fatal(err)
	}
	c.kubectl("-n", named.namespace, "patch", "configmap", named.configMap, "--type=merge", "-p", string(patch))
	c.kubectl("-n", named.namespace, "create", "secret", "generic", named.secret, "--from-literal=token=canary")
}

// On a real API server, with the rights and under the names of its manifests, the program tells what there is to tell. It asks for
// nothing that it may not do, and may do nothing that it does not ask for.
func TestRights(t *testing.T) {
	c, receiver, q := newCluster(t), &sink{}, &requests{code: map[string]int{}}
	c.serves(receiver)
	c.kubectl("create", "namespace", "shop")
	c.runs(q)
	releases, err := dynamic.NewForConfig(c.config)
	if err != nil {
		t.Fatal(err)
	}
	shop := releases.Resource(v1alpha1.GroupVersion.WithResource("releases")).Namespace("shop")
	rel := c.subscribed()
	created, err := shop.Create(t.Context(), object(t, rel), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	created.Object["status"] = object(t, busy(nil)).Object["status"]
	if _, err := shop.UpdateStatus(t.Context(), created, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}

	notice := notify.Current(busy(nil))[notify.PreviewReady]
	await(t, "the notice", func() bool {
		return slices.ContainsFunc(receiver.messages(), func(m string) bool {
			return strings.HasPrefix(m, "canary ") && strings.Contains(m, notice.Purpose+": "+notice.Command)
		})
	})
	await(t, "the engine's own annotation", func() bool {
		stored, err := shop.Get(t.Context(), rel.Name, metav1.GetOptions{})
		return err == nil && stored.GetAnnotations()["notified.notifications.argoproj.io"] != ""
	})
	used := q.used(t)
	granted := c.granted()
	if len(granted) == 0 {
		t.Error("nothing is granted")
	}
	for _, right := range granted {
		if !slices.Contains(used, right) {
			t.Errorf("it may %q, and asks for nothing that needs it: %q", right, used)
		}
	}
}

// subscribed is the sample of a first Release, with a subscription.
func (c *cluster) subscribed() *v1alpha1.Release {
	c.Helper()
	text, err := os.ReadFile("../../config/samples/release-v1.yaml")
	if err != nil {
		c.Fatal(err)
	}
	var rel v1alpha1.Release
	if err := yaml.Unmarshal(text, &rel); err != nil {
		c.Fatal(err)
	}
	rel.Namespace, rel.Annotations = "shop", map[string]string{"notifications.argoproj.io/subscribe.on-preview-ready.sink": ""}
	return &rel
}
