package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/controlplane"
	"slipway.dev/slipway/internal/laws"
	"slipway.dev/slipway/internal/localaws"
)

const systemNamespace = "slipway-system"

// TestManager installs config/default on a real API server and runs the manager there as its own service account. Nobody
// answers for AWS at first; later it is there, and a Release gets to Preview. What the account may not do fails here, as it
// would on a cluster. Metrics, notices and traces are received as others would receive them.
func TestManager(t *testing.T) {
	g := NewWithT(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	plane, err := controlplane.Start(ctx, controlplane.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(plane.Stop()).To(Succeed()) })
	admin := newClient(g, plane.Config())
	install(ctx, g, admin)

	endpoint := freeAddress(g)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": "http://" + endpoint, "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	metrics, probes, profiles := freeAddress(g), freeAddress(g), freeAddress(g)
	people := mailbox{}
	sink := people.open(g, t.Cleanup)
	traces := collector{}
	traces.open(t.Setenv, t.Cleanup)
	managerCtx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- run(managerCtx, []string{
			"--kubeconfig=" + kubeconfig(g, plane.Config(), token(ctx, g, admin, "slipway-controller-manager")),
			"--leader-elect", "--leader-election-namespace=" + systemNamespace,
			"--metrics-bind-address=" + metrics, "--health-probe-bind-address=" + probes, "--plan-bind-address=0", "--cloudevents-sink=" + sink,
			"--pprof-bind-address=" + profiles,
		})
	}()

	for _, probe := range []string{"/healthz", "/readyz"} {
		g.Eventually(func() (int, error) { return get("http://"+probes+probe, "") }, "1m", "200ms").Should(Equal(http.StatusOK), probe)
	}
	g.Expect(get("http://"+profiles+"/debug/pprof/heap?debug=1", "")).To(Equal(http.StatusOK))
	lease := coordinationv1.Lease{}
	g.Eventually(func() error {
		return admin.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: "manager.slipway.dev"}, &lease)
	}, "30s", "200ms").Should(Succeed())
	g.Expect(*lease.Spec.HolderIdentity).NotTo(BeEmpty())

	checkMetrics(ctx, g, admin, "https://"+metrics+"/metrics")
	seen, reader := scrapes{}, token(ctx, g, admin, "reader")
	go seen.watch(managerCtx.Done(), func() string { return body("https://"+metrics+"/metrics", reader) })
	checkRelease(ctx, g, admin)
	g.Eventually(func() string {
		return body("https://"+metrics+"/metrics", token(ctx, g, admin, "reader"))
	}, "30s", "500ms").Should(And(
		ContainSubstring(`slipway_release_info{`), ContainSubstring(`slipway_releases{`),
		ContainSubstring(`slipway_release_condition{condition="Ready",name="web",namespace="default"} 0`)))

	checkPreview(ctx, g, admin, startAWS(ctx, t, g, admin, endpoint))
	g.Eventually(func() map[string]string { return people.about("dev.slipway.release.previewready") }, "30s", "100ms").Should(
		HaveKeyWithValue("command", "kubectl slipway promote web -n default"), "nobody was told that it is ready")
	checkOverride(ctx, g, admin, func() string { return body("https://"+metrics+"/metrics", reader) })
	last := body("https://"+metrics+"/metrics", reader)
	g.Expect(last).NotTo(ContainSubstring(canary))
	seen.add(last)
	seen.check(g)

	select {
	case err := <-ended:
		t.Fatalf("the manager ended by itself: %v", err)
	default:
	}
	stop()
	g.Eventually(ended, "1m").Should(Receive(BeNil()))
	traces.check(g)
	g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(&lease), &lease)).To(Succeed())
	g.Expect(lease.Spec.HolderIdentity).To(HaveValue(BeEmpty()), "the lease was not given back, so a successor waits until it runs out")
}

// checkMetrics: nobody without a token, nobody whom the API server does not allow, and then those whom it does.
func checkMetrics(ctx context.Context, g Gomega, admin client.Client, url string) {
	for _, account := range []string{"passer-by", "reader"} {
		g.Expect(admin.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: account}})).To(Succeed())
	}
	g.Expect(admin.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reads-metrics"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "slipway-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: systemNamespace, Name: "reader"}},
	})).To(Succeed())
	g.Eventually(func() (int, error) { return get(url, "") }, "30s", "200ms").Should(Equal(http.StatusUnauthorized), "without a token")
	g.Expect(get(url, "not-a-token")).NotTo(Equal(http.StatusOK), "with a token that nobody issued")
	g.Expect(get(url, token(ctx, g, admin, "passer-by"))).To(Equal(http.StatusForbidden), "with the token of an account that may not")
	g.Eventually(func() (int, error) { return get(url, token(ctx, g, admin, "reader")) }, "30s", "1s").
		Should(Equal(http.StatusOK), "with the token of one that may")
}

// bootstrap is user data with a secret in it.
const (
	canary    = "canary-8d1f02"
	bootstrap = "#!/bin/sh\n#localaws version=${SLIPWAY_VERSION}-from-secret boot=1s configure=1s\nPASSWORD=" + canary + "\n"
)

// checkRelease applies the samples, with the user data in a Secret and one production pool: the Release is held by the
// finalizer and says that AWS does not answer.
func checkRelease(ctx context.Context, g Gomega, admin client.Client) {
	g.Expect(admin.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "bootstrap"}, StringData: map[string]string{"script": bootstrap},
	})).To(Succeed())
	g.Expect(admin.Create(ctx, sample[v1alpha1.ReleaseClass](g, "releaseclass.yaml"))).To(Succeed())
	rel := sample[v1alpha1.Release](g, "release-v1.yaml")
	rel.Spec.Template.UserData = &v1alpha1.UserData{SecretRef: &v1alpha1.KeyReference{Name: "bootstrap", Key: "script"}}
	rel.Spec.LoadBalancers.Production = rel.Spec.LoadBalancers.Production[:1]
	g.Expect(admin.Create(ctx, rel)).To(Succeed())
	g.Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(rel), rel)).To(Succeed())
		g.Expect(controllerutil.ContainsFinalizer(rel, v1alpha1.FinalizerRelease)).To(BeTrue())
		g.Expect(rel.Status.ObservedGeneration).To(Equal(rel.Generation))
		g.Expect(rel.Status.Conditions).To(ContainElement(And(HaveField("Type", "Ready"), HaveField("Status", metav1.ConditionFalse))))
	}, "2m", "500ms").Should(Succeed())
}

// sample reads one of config/samples.
func sample[Object any](g Gomega, file string) *Object {
	text, err := os.ReadFile(filepath.Join("config", "samples", file))
	g.Expect(err).NotTo(HaveOccurred())
	object := new(Object)
	g.Expect(yaml.UnmarshalStrict(text, object)).To(Succeed())
	return object
}

// startAWS furnishes the account that the samples are for, and answers for AWS from now on.
func startAWS(ctx context.Context, t *testing.T, g Gomega, admin client.Client, address string) *localaws.Cloud {
	knobs := localaws.DefaultKnobs()
	knobs.Balancers.ClassicRegistration = localaws.Span{Min: time.Second, Max: 2 * time.Second}
	cloud := localaws.New(localaws.Options{Knobs: knobs})
	t.Cleanup(cloud.Close)
	laws.Hold(t, laws.Options{
		AWS: cloud, Kube: admin, Now: time.Now, Lately: 3 * time.Second, Judged: func(who localaws.Caller) bool { return who.AccessKey == "test" },
	})
	site := cloud.DefaultWorld()
	person := elb.New(elb.Options{
		Region: cloud.Region(), Credentials: credentials.NewStaticCredentialsProvider("PERSON", "secret", ""),
		HTTPClient: &http.Client{Transport: cloud.Transport()}, BaseEndpoint: aws.String("http://aws.local"),
	})
	for _, name := range []string{"test-classic", "prod-classic"} {
		_, err := person.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{
			LoadBalancerName: &name, Subnets: site.Subnets[:2], SecurityGroups: []string{site.SecurityGroup},
			Listeners: []elbtypes.Listener{{
				Protocol: aws.String("HTTP"), LoadBalancerPort: 80, InstanceProtocol: aws.String("HTTP"), InstancePort: aws.Int32(80),
			}},
		})
		g.Expect(err).NotTo(HaveOccurred())
		_, err = person.ConfigureHealthCheck(ctx, &elb.ConfigureHealthCheckInput{LoadBalancerName: &name, HealthCheck: &elbtypes.HealthCheck{
			Target: aws.String("HTTP:80/healthz"), Interval: aws.Int32(5), Timeout: aws.Int32(2), HealthyThreshold: aws.Int32(2), UnhealthyThreshold: aws.Int32(2),
		}})
		g.Expect(err).NotTo(HaveOccurred())
	}
	listener, err := net.Listen("tcp", address)
	g.Expect(err).NotTo(HaveOccurred())
	served := make(chan error, 1)
	go func() { served <- cloud.Serve(ctx, listener) }()
	t.Cleanup(func() { g.Expect(<-served).To(Succeed()) })
	return cloud
}

// checkPreview: without a restart the Release gets to Preview with the user data of the Secret, leaves behind what it has to
// remember, and tells in events what it did, in the words of each action, and nothing of the secret.
func checkPreview(ctx context.Context, g Gomega, admin client.Client, cloud *localaws.Cloud) {
	rel := &v1alpha1.Release{}
	g.Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKey{Namespace: "default", Name: "web"}, rel)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(rel.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), "%+v", rel.Status)
		g.Expect(meta.IsStatusConditionTrue(rel.Status.Conditions, v1alpha1.ConditionPreviewReady)).To(BeTrue())
	}, "3m", "500ms").Should(Succeed())
	g.Expect(cloud.Instances()).To(And(HaveLen(3), HaveEach(HaveField("Version", "v1-from-secret"))))
	pool, _ := cloud.Pool("test-classic")
	g.Expect(pool.Healthy).To(Equal(3))

	key := client.ObjectKey{Namespace: "default", Name: string(rel.Status.Candidate.Revision)}
	ours := HaveField("OwnerReferences", ContainElement(HaveField("UID", rel.UID)))
	record, kept := &appsv1.ControllerRevision{}, &corev1.Secret{}
	g.Expect(admin.Get(ctx, key, record)).To(Succeed())
	g.Expect(record.ObjectMeta).To(ours)
	g.Expect(admin.Get(ctx, key, kept)).To(Succeed())
	g.Expect(kept.ObjectMeta).To(ours)
	g.Expect(kept.Immutable).To(HaveValue(BeTrue()))
	g.Expect(kept.Data).To(HaveKeyWithValue("userdata", []byte(bootstrap)))

	said := func(reason, note string) OmegaMatcher {
		return ContainElement(And(HaveField("Reason", reason), HaveField("Note", MatchRegexp("^"+note)),
			HaveField("ReportingController", "slipway"), HaveField("Regarding.UID", rel.UID)))
	}
	events := &eventsv1.EventList{}
	g.Eventually(func(g Gomega) {
		g.Expect(admin.List(ctx, events, client.InNamespace("default"))).To(Succeed())
		g.Expect(events.Items).To(And(
			said("Launched", "launch the candidate: 2 × c7g.large in subnet-0a11ce000000000a1 for version v1: i-[0-9a-f]+, i-[0-9a-f]+$"),
			said("Launched", "launch the candidate: 1 × c7g.large in subnet-0a11ce000000000a2 for version v1: i-[0-9a-f]+$"),
			said("Registered", "show the candidate on the test pool: .* of version v1 into test \\(test-classic\\)$"),
			said("Ready", "PreviewReady: version v1 is ready in Preview"),
		))
	}, "30s", "500ms").Should(Succeed())
	g.Expect(fmt.Sprint(events.Items, rel, record.Annotations, string(record.Data.Raw), cloud.Instances())).NotTo(ContainSubstring(canary))
}

// checkOverride: an override takes the version into production, and the metrics say that production lacks nothing, and when that ends.
func checkOverride(ctx context.Context, g Gomega, admin client.Client, scrape func() string) {
	rel := &v1alpha1.Release{}
	g.Expect(admin.Get(ctx, client.ObjectKey{Namespace: "default", Name: "web"}, rel)).To(Succeed())
	before := rel.DeepCopy()
	rel.Spec.Override = &v1alpha1.PhaseOverride{
		Revision: string(rel.Status.Candidate.Revision), Phase: v1alpha1.PhaseLive, Reason: "a test", By: "test",
		ExpiresAt: metav1.NewTime(time.Now().Add(time.Hour)),
	}
	g.Expect(admin.Patch(ctx, rel, client.MergeFrom(before))).To(Succeed())
	g.Eventually(scrape, "2m", "500ms").Should(And(
		ContainSubstring(`slipway_release_production_lack_servers{name="web",namespace="default"} 0`),
		ContainSubstring(`slipway_release_override_expiry_timestamp_seconds{name="web",namespace="default",phase="Live",then="Preview"} `)))
}

func newClient(g Gomega, cfg *rest.Config) client.Client {
	scheme := runtime.NewScheme()
	g.Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	g.Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	g.Expect(err).NotTo(HaveOccurred())
	return c
}

// install is `kubectl apply --server-side -k config/default`, definitions and namespace first.
func install(ctx context.Context, g Gomega, admin client.Client) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join("config", "default"))
	g.Expect(err).NotTo(HaveOccurred())
	for _, first := range []bool{true, false} {
		for _, r := range built.Resources() {
			if isFirst := r.GetKind() == "Namespace" || r.GetKind() == "CustomResourceDefinition"; isFirst != first {
				continue
			}
			object := &unstructured.Unstructured{}
			g.Expect(yaml.Unmarshal([]byte(r.MustYaml()), object)).To(Succeed())
			g.Expect(admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("test"), client.ForceOwnership)).
				To(Succeed(), "%s %s", r.GetKind(), r.GetName())
		}
	}
	g.Eventually(func() error { return admin.List(ctx, &v1alpha1.ReleaseList{}) }, "30s", "200ms").Should(Succeed())

	deployment := &appsv1.Deployment{}
	g.Expect(admin.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: "slipway-controller-manager"}, deployment)).To(Succeed())
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: "manager"}, Spec: deployment.Spec.Template.Spec}
	g.Expect(admin.Create(ctx, pod, client.DryRunAll)).To(Succeed(), "the namespace's Pod Security Standard")
	root := pod.DeepCopy()
	root.ResourceVersion, root.UID, root.Spec.SecurityContext = "", "", nil
	g.Expect(admin.Create(ctx, root, client.DryRunAll)).To(MatchError(ContainSubstring("violates PodSecurity")))
}

// token is a bearer token of a service account in the manager's namespace.
func token(ctx context.Context, g Gomega, admin client.Client, account string) string {
	request := &authenticationv1.TokenRequest{}
	g.Expect(admin.SubResource("token").Create(ctx,
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: account}}, request)).To(Succeed())
	return request.Status.Token
}

// kubeconfig writes one for the bearer of a token.
func kubeconfig(g Gomega, cfg *rest.Config, bearer string) string {
	folder, err := os.MkdirTemp("", "slipway-manager-")
	g.Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(folder, "kubeconfig")
	g.Expect(clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: cfg.Host, CertificateAuthorityData: cfg.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"manager": {Token: bearer}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "manager"}},
		CurrentContext: "test",
	}, path)).To(Succeed())
	return path
}

func freeAddress(g Gomega) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return listener.Addr().String()
}

// scraper trusts the certificate that the manager signed for itself.
var scraper = &http.Client{
	Timeout:   15 * time.Second,
	Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, //nolint:gosec // loopback
}

func fetch(url, bearer string) (*http.Response, error) {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	return scraper.Do(request)
}

func get(url, bearer string) (int, error) {
	response, err := fetch(url, bearer)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func body(url, bearer string) string {
	response, err := fetch(url, bearer)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return fmt.Sprint(string(text), err)
}

func TestFlags(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string // part of the error; empty: none
	}{
		"none": {nil, ""},
		"kubebuilder's": {strings.Fields(
			"--metrics-bind-address=:8443 --metrics-secure=true --health-probe-bind-address=:8081 --leader-elect --log-level=debug"), ""},
		"an unknown one":          {[]string{"--webhook-port=9443"}, "webhook-port"},
		"a word left over":        {[]string{"leader-elect"}, "unexpected arguments"},
		"nobody works":            {[]string{"--max-concurrent-reconciles=0"}, "at least 1"},
		"help is not an error":    {[]string{"--help"}, flag.ErrHelp.Error()},
		"a name for the cluster":  {[]string{"--cluster-name=prod"}, ""},
		"a sink":                  {[]string{"--cloudevents-sink=http://events.example.com/slipway"}, ""},
		"a sink that is no URL":   {[]string{"--cloudevents-sink=events.example.com"}, "http"},
		"the port of plans":       {[]string{"--metrics-bind-address=:8082"}, "--metrics-bind-address"},
		"the plans' for profiles": {[]string{"--pprof-bind-address=localhost:8082"}, "--pprof-bind-address=localhost:8082"},
		"a shard":                 {[]string{"--class-selector=shard notin (east, west),team=web", "--aws-limits-share=0.2"}, ""},
		"no selector":             {[]string{"--class-selector=shard=="}, ""},
		"a slip in a selector":    {[]string{"--class-selector=shard in east"}, "no label selector"},
		"no share":                {[]string{"--aws-limits-share=0"}, "above 0 and at most 1"},
		"more than all":           {[]string{"--aws-limits-share=70"}, "above 0 and at most 1"},
		"a namespace":             {[]string{"--watch-namespace=shop"}, ""},
		"no list of namespaces":   {[]string{"--watch-namespace=shop,"}, `"" is no name of a namespace`},
		"no name of a namespace":  {[]string{"--watch-namespace=shop;blog"}, `"shop;blog" is no name of a namespace`},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := parse(test.args)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("%v: %v", test.args, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%v: error %v, want one with %q", test.args, err, test.want)
			case err == nil && (!o.MetricsSecure || o.Concurrent < 1):
				t.Errorf("%v: metrics secure %v, %d concurrent", test.args, o.MetricsSecure, o.Concurrent)
			}
		})
	}
	for _, args := range [][]string{{"--watch-namespace=shop, blog,shop"}, nil} {
		t.Setenv("WATCH_NAMESPACE", map[bool]string{true: "blog,shop"}[args == nil])
		if o, err := parse(args); err != nil || !slices.Equal(o.Namespaces, []string{"blog", "shop"}) {
			t.Errorf("%v: namespaces %v, error %v", args, o.Namespaces, err)
		}
	}
	for _, args := range [][]string{nil, {"--trust-asked-by"}} {
		if o, err := parse(args); err != nil || o.TrustAskedBy != (args != nil) {
			t.Errorf("%v: an annotation is believed: %v, error %v", args, o.TrustAskedBy, err)
		}
	}
	if _, err := parse([]string{"--help"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("--help gives %v", err)
	}
}
