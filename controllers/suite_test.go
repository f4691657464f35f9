package controllers

import (
	"context"
	"net/http"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/controlplane"
	"slipway.dev/slipway/internal/laws"
	"slipway.dev/slipway/internal/localaws"
)

// TestReconcile runs the specs: passes over Releases on a real API server, with a local AWS on a virtual clock.
func TestReconcile(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Reconcile")
}

var (
	plane  *controlplane.ControlPlane
	cached client.WithWatch // reads what the manager's client would read from its cache
)

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(GinkgoLogr)
	var err error
	plane, err = controlplane.Start(ctx, controlplane.Options{CRDPaths: []string{filepath.Join("..", "config", "crd", "bases")}, Progress: GinkgoWriter})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(plane.Stop()).To(Succeed()) })

	scheme := testScheme(GinkgoTB())
	mgr, err := ctrl.NewManager(plane.Config(), ctrl.Options{Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}})
	Expect(err).NotTo(HaveOccurred())
	Expect((&ReleaseClassReconciler{Client: mgr.GetClient()}).SetupWithManager(mgr)).To(Succeed()) // it also sets up the index of pool claims
	running, stop := context.WithCancel(context.Background())                                      // it outlives BeforeSuite
	ended := make(chan error)
	go func() { ended <- mgr.Start(running) }()
	DeferCleanup(func() { stop(); Expect(<-ended).To(Succeed()) })
	Expect(mgr.GetCache().WaitForCacheSync(ctx)).To(BeTrue())

	writer, err := client.NewWithWatch(plane.Config(), client.Options{Scheme: scheme, Cache: &client.CacheOptions{Reader: mgr.GetCache(),
		DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}}}})
	Expect(err).NotTo(HaveOccurred())
	cached = writer

	class := testClass()
	class.Finalizers, class.Spec.Region = nil, "us-east-1"
	Expect(cached.Create(ctx, class)).To(Succeed())
	Eventually(func() error { return cached.Get(ctx, client.ObjectKeyFromObject(class), class) }).Should(Succeed())
}, NodeTimeout(5*time.Minute))

// site is one Release with its load balancers, in a namespace and an AWS of its own.
type site struct {
	*ReleaseReconciler
	aws   *localaws.Cloud
	clock *localaws.VirtualClock
	world localaws.Site
	rel   *v1alpha1.Release
	said  *recorder
	// restart makes the reconciler anew, as a process does that takes over.
	restart func()
	// statusWrites and otherWrites count what reached the API server.
	statusWrites, otherWrites atomic.Int32
	// refuseStatus, where set, answers the next write of a status.
	refuseStatus error
}

// newSite makes one; nothing has been reconciled yet.
func newSite(ctx context.Context) *site {
	GinkgoHelper()
	s := &site{clock: localaws.NewVirtualClock(time.Now().Truncate(time.Second)), said: &recorder{}}
	knobs := localaws.DefaultKnobs()
	knobs.Throttle = false // the paces of Share are far above AWS's limits
	s.aws = localaws.New(localaws.Options{Clock: s.clock, Account: testAccount, Seed: 1, Knobs: knobs})
	DeferCleanup(s.aws.Close)
	s.world = s.aws.DefaultWorld()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "shop-"}}
	Expect(cached.Create(ctx, namespace)).To(Succeed())
	Eventually(func() error { return cached.Get(ctx, client.ObjectKeyFromObject(namespace), namespace) }).Should(Succeed())

	config := aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
		HTTPClient: &http.Client{Transport: s.aws.Transport()}}
	for _, name := range []string{"prod-", "test-"} {
		s.addClassic(ctx, elb.NewFromConfig(config), name+namespace.Name)
	}
	watch := laws.Hold(GinkgoTB(), laws.Options{
		AWS: s.aws, Kube: live(), Namespace: namespace.Name, Now: s.clock.Now, Judged: func(localaws.Caller) bool { return true },
	})
	counting := interceptor.NewClient(cached, interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			s.statusWrites.Add(1)
			if err := s.refuseStatus; err != nil {
				s.refuseStatus = nil
				return err
			}
			err := c.SubResource(sub).Update(ctx, o, opts...)
			if rel, is := o.(*v1alpha1.Release); is && err == nil {
				watch.Told(rel)
			}
			return err
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			s.otherWrites.Add(1)
			return c.Create(ctx, o, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			s.otherWrites.Add(1)
			return c.Update(ctx, o, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			s.otherWrites.Add(1)
			return c.Patch(ctx, o, p, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			s.otherWrites.Add(1)
			return c.Delete(ctx, o, opts...)
		},
	})
	reader := live()
	s.restart = func() {
		s.ReleaseReconciler = &ReleaseReconciler{
			Client: counting, APIReader: reader, Recorder: s.said, Clock: s.clock.Now, Cluster: testCluster,
			Cloud: awscloud.NewOpener(awscloud.Options{Config: config, Clock: s.clock, Share: 1000}),
		}
	}
	s.restart()
	s.rel = s.declare(namespace.Name)
	Expect(cached.Create(ctx, s.rel)).To(Succeed())
	return s
}

// live reads past the cache.
func live() client.Client {
	GinkgoHelper()
	c, err := client.New(plane.Config(), client.Options{Scheme: cached.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

func (s *site) addClassic(ctx context.Context, api *elb.Client, name string) {
	GinkgoHelper()
	_, err := api.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{
		LoadBalancerName: &name, Subnets: s.world.Subnets,
		Listeners: []elbtypes.Listener{{Protocol: aws.String("HTTP"), LoadBalancerPort: 80, InstancePort: aws.Int32(80)}},
	})
	Expect(err).NotTo(HaveOccurred())
	_, err = api.ConfigureHealthCheck(ctx, &elb.ConfigureHealthCheckInput{LoadBalancerName: &name, HealthCheck: &elbtypes.HealthCheck{
		Target: aws.String("HTTP:80/"), Interval: aws.Int32(5), Timeout: aws.Int32(2), HealthyThreshold: aws.Int32(2), UnhealthyThreshold: aws.Int32(2),
	}})
	Expect(err).NotTo(HaveOccurred())
}

// declare is the Release of the site: two servers of version v1, up to Preview.
func (s *site) declare(namespace string) *v1alpha1.Release {
	rel := testRelease()
	rel.ObjectMeta = metav1.ObjectMeta{Namespace: namespace, Name: "web"}
	rel.Spec.Phase = v1alpha1.PhasePreview
	rel.Spec.Image.ID = v1alpha1.ImageID(s.world.V1)
	rel.Spec.Template.InstanceTypes = []v1alpha1.InstanceType{"m5.large"}
	rel.Spec.Template.SubnetIDs = []v1alpha1.SubnetID{v1alpha1.SubnetID(s.world.Subnets[0]), v1alpha1.SubnetID(s.world.Subnets[1])}
	rel.Spec.Template.UserData = &v1alpha1.UserData{Inline: "#localaws version=${SLIPWAY_VERSION} configure=1s\n"}
	rel.Spec.LoadBalancers.Production[0].Classic.Name = "prod-" + namespace
	rel.Spec.LoadBalancers.Test[0].Classic.Name = "test-" + namespace
	return rel
}

// pass makes one pass, which has to write the status once at most.
func (s *site) pass(ctx context.Context) ctrl.Result {
	GinkgoHelper()
	before := s.statusWrites.Load()
	result, err := s.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(s.rel)})
	Expect(err).NotTo(HaveOccurred())
	Expect(s.statusWrites.Load()-before).To(BeNumerically("<=", 1), "one status write a pass")
	return result
}

// fetch reads the Release anew.
func (s *site) fetch(ctx context.Context) *v1alpha1.Release {
	GinkgoHelper()
	Expect(s.APIReader.Get(ctx, client.ObjectKeyFromObject(s.rel), s.rel)).To(Succeed())
	return s.rel
}

// until makes passes, as often as each of them asks for, until the condition of the Release is what is wanted.
func (s *site) until(ctx context.Context, condition string, want metav1.ConditionStatus, reason string) {
	GinkgoHelper()
	for range 400 {
		if result := s.pass(ctx); result.RequeueAfter > 0 {
			s.clock.Advance(result.RequeueAfter)
		}
		rel := s.fetch(ctx)
		c := meta.FindStatusCondition(rel.Status.Conditions, condition)
		if c != nil && c.Status == want && c.Reason == reason && c.ObservedGeneration == rel.Generation {
			return
		}
	}
	Fail("after 400 passes: " + s.rel.Status.Message)
}

// edit changes the spec.
func (s *site) edit(ctx context.Context, change func(*v1alpha1.ReleaseSpec)) {
	GinkgoHelper()
	before := s.fetch(ctx).DeepCopy()
	change(&s.rel.Spec)
	Expect(cached.Patch(ctx, s.rel, client.MergeFrom(before))).To(Succeed())
}

// calls are the calls of an operation, or of all that change something where action is empty.
func (s *site) calls(action string) []url.Values {
	var all []url.Values
	for _, entry := range s.aws.Ledger() {
		c := entry.Call
		if c == nil || !c.Mutates || c.Action == "CreateLoadBalancer" || c.Action == "ConfigureHealthCheck" { // made by newSite
			continue
		}
		if action == "" || c.Action == action {
			all = append(all, c.Params)
		}
	}
	return all
}
