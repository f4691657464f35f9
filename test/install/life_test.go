package install

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/operator"
)

// TestMain has clients list what they watch before they watch it, as they do with API servers of before Kubernetes 1.34. With newer ones
// the manager does not need to list what it has in its caches.
func TestMain(m *testing.M) {
	_ = os.Setenv("KUBE_FEATURE_WatchListClient", "false")
	os.Exit(m.Run())
}

// TestEveryRightIsNeeded lets the manager live through two versions and two deletions with the rights that the manifests give it.
func TestEveryRightIsNeeded(t *testing.T) {
	for name, row := range map[string]struct {
		manifest func(*testing.T) string
		watched  []string
	}{
		"in the whole cluster": {func(t *testing.T) string { return build(t, "../../config/default") }, nil},
		"in one namespace":     {func(t *testing.T) string { return overlay(t, "namespaced", "high-availability") }, []string{"shop"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits, mostly
			c, manifest := newCluster(t), row.manifest(t)
			c.apply(manifest)
			c.admitsThePods(manifest)
			c.namespace("shop")
			c.namespace("blog")
			for _, namespace := range row.watched {
				c.kubectl(build(t, "../../config/namespaced/role"), "apply", "--server-side", "-n", namespace, "-f", "-")
			}
			granted, asked := c.granted(), &requests{samples: map[right]sample{}}
			bearer := c.token(account)
			manager := c.manage(asked.recorded(c.bearing(bearer)), c.newAWS(), row.watched)
			c.scrape(manager.metrics)
			c.live(row.watched)
			manager.stop()
			c.everyOneIsNeeded(granted, asked.uses(c, granted), bearer)
		})
	}
}

// token is a bearer token of a service account in the manager's namespace.
func (c *cluster) token(name string) string {
	c.t.Helper()
	request := &authenticationv1.TokenRequest{}
	c.Expect(c.admin.SubResource("token").Create(c.t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: name}}, request)).To(Succeed())
	return request.Status.Token
}

// bearing is a configuration of the account that the token is for.
func (c *cluster) bearing(token string) *rest.Config {
	config := rest.AnonymousClientConfig(c.config)
	config.BearerToken, config.QPS = token, -1
	return config
}

// running is a manager.
type running struct {
	metrics string // URL
	stop    func()
}

// manage starts the manager as main does.
func (c *cluster) manage(kube *rest.Config, cloud *localaws.Cloud, namespaces []string) running {
	c.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	c.Expect(err).NotTo(HaveOccurred())
	address := listener.Addr().String()
	c.Expect(listener.Close()).To(Succeed())
	opener := awscloud.NewOpener(awscloud.Options{Config: aws.Config{
		Region: cloud.Region(), Credentials: credentials.NewStaticCredentialsProvider(managerKey, "secret", ""),
		HTTPClient: &http.Client{Transport: cloud.Transport()}, BaseEndpoint: aws.String("http://aws.local"),
	}})
	ctx, cancel := context.WithCancel(c.t.Context())
	mgr, err := operator.New(ctx, kube, opener, operator.Options{
		MetricsAddress: address, MetricsSecure: true, ProbeAddress: "0", LeaderElect: true, LeaderElectionNamespace: systemNamespace,
		Concurrent: 4, Successor: true, Namespaces: namespaces,
	})
	c.Expect(err).NotTo(HaveOccurred())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	return running{"https://" + address + "/metrics", func() {
		c.t.Helper()
		cancel()
		c.Eventually(ended, time.Minute).Should(Receive(BeNil()))
	}}
}

// scrape reads the metrics as Prometheus does.
func (c *cluster) scrape(url string) {
	c.t.Helper()
	ctx := c.t.Context()
	c.Expect(c.admin.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: "prometheus"}})).To(Succeed())
	c.Expect(c.admin.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reads-metrics"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "slipway-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: systemNamespace, Name: "prometheus"}},
	})).To(Succeed())
	bearer := c.token("prometheus")
	scraper := &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}} //nolint:gosec // loopback
	c.Eventually(func() (string, error) {
		sent, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return "", err
		}
		sent.Header.Set("Authorization", "Bearer "+bearer)
		answer, err := scraper.Do(sent)
		if err != nil {
			return "", err
		}
		defer func() { _ = answer.Body.Close() }()
		text, err := io.ReadAll(answer.Body)
		return string(text), err
	}, time.Minute, 200*time.Millisecond).Should(ContainSubstring("slipway_panics_total"))
}

// sampleOf reads one of config/samples.
func sampleOf[Object any](c *cluster, file string) *Object {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join("../../config/samples", file))
	c.Expect(err).NotTo(HaveOccurred())
	object := new(Object)
	c.Expect(yaml.UnmarshalStrict(text, object)).To(Succeed())
	return object
}

const script = "#!/bin/sh\n#localaws version=${SLIPWAY_VERSION} boot=1s configure=1s\n"

// inShop makes what the Releases of a namespace refer to, and gives its first Release.
func (c *cluster) inShop(namespace string) *v1alpha1.Release {
	c.t.Helper()
	ctx, at := c.t.Context(), metav1.ObjectMeta{Namespace: namespace, Name: "bootstrap"}
	c.Expect(c.admin.Create(ctx, &corev1.Secret{ObjectMeta: at, StringData: map[string]string{"script": script}})).To(Succeed())
	c.Expect(c.admin.Create(ctx, &corev1.ConfigMap{ObjectMeta: at, Data: map[string]string{"script": script}})).To(Succeed())
	rel := sampleOf[v1alpha1.Release](c, "release-v1.yaml")
	rel.Namespace, rel.Spec.Replicas, rel.Spec.Phase, rel.Spec.DeletionPolicy = namespace, 1, v1alpha1.PhaseComplete, v1alpha1.DeletionTerminate
	rel.Spec.LoadBalancers.Production = rel.Spec.LoadBalancers.Production[:1]
	rel.Spec.Template.UserData = &v1alpha1.UserData{SecretRef: &v1alpha1.KeyReference{Name: "bootstrap", Key: "script"}}
	return rel
}

// live is a Release's life: v1 as far as Complete, v2 too, with a way back and forth, the end with all servers, another one of the same name, and its end.
func (c *cluster) live(watched []string) {
	c.t.Helper()
	ctx := c.t.Context()
	class := sampleOf[v1alpha1.ReleaseClass](c, "releaseclass.yaml")
	class.Spec.AllowedNamespaces = &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": "shop"}}
	c.Expect(c.admin.Create(ctx, class)).To(Succeed())
	if len(watched) > 0 {
		c.Expect(c.admin.Create(ctx, c.inShop("blog"))).To(Succeed())
	}
	rel := c.inShop("shop")
	again := rel.DeepCopy()
	c.Expect(c.admin.Create(ctx, rel)).To(Succeed())
	c.settled(rel, "v1")
	before := rel.DeepCopy()
	rel.Spec.Version, rel.Spec.PhaseFor, rel.Spec.Image.ID = "v2", "v2", sampleOf[v1alpha1.Release](c, "release-v2.yaml").Spec.Image.ID
	rel.Spec.Phase = v1alpha1.PhaseLive
	rel.Spec.Template.UserData = &v1alpha1.UserData{ConfigMapRef: &v1alpha1.KeyReference{Name: "bootstrap", Key: "script"}}
	c.Expect(c.admin.Patch(ctx, rel, client.MergeFrom(before))).To(Succeed())
	c.settled(rel, "v2")
	for _, phase := range []v1alpha1.Phase{v1alpha1.PhaseRolledBack, v1alpha1.PhaseLive, v1alpha1.PhaseComplete} {
		before := rel.DeepCopy()
		rel.Spec.Phase = phase // what happens the second time, such as Registered, makes a series of the event
		c.Expect(c.admin.Patch(ctx, rel, client.MergeFrom(before))).To(Succeed())
		c.settled(rel, "v2")
	}
	c.gone(rel)
	again.Spec.Phase = v1alpha1.PhasePreview
	c.Expect(c.admin.Create(ctx, again)).To(Succeed())
	c.settled(again, "v1")
	c.gone(again)
	c.gone(class)
	if len(watched) > 0 {
		left := &v1alpha1.Release{}
		c.Expect(c.admin.Get(ctx, client.ObjectKey{Namespace: "blog", Name: "web"}, left)).To(Succeed())
		c.Expect(left.Finalizers).To(BeEmpty(), "of a namespace that is not watched")
		c.Expect(left.Status.Conditions).To(BeEmpty(), "of a namespace that is not watched")
	}
}

// settled waits until the Release has a version where its phase wants it.
func (c *cluster) settled(rel *v1alpha1.Release, version string) {
	c.t.Helper()
	c.Eventually(func(g Gomega) {
		g.Expect(c.admin.Get(c.t.Context(), client.ObjectKeyFromObject(rel), rel)).To(Succeed())
		g.Expect(rel.Status.ObservedGeneration).To(Equal(rel.Generation))
		g.Expect(meta.IsStatusConditionTrue(rel.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), "%+v", rel.Status.Conditions)
		if rel.Spec.Phase == v1alpha1.PhaseComplete {
			g.Expect(rel.Status.Stable).To(HaveField("Version", BeEquivalentTo(version)))
		}
	}, 4*time.Minute, 200*time.Millisecond).Should(Succeed())
}

// gone deletes an object and waits for its end.
func (c *cluster) gone(object client.Object) {
	c.t.Helper()
	c.Expect(c.admin.Delete(c.t.Context(), object)).To(Succeed())
	c.Eventually(func() bool {
		return apierrors.IsNotFound(c.admin.Get(c.t.Context(), client.ObjectKeyFromObject(object), object))
	}, 4*time.Minute, 200*time.Millisecond).Should(BeTrue(), "%T %s", object, strings.TrimPrefix(object.GetNamespace()+"/"+object.GetName(), "/"))
}
