package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"slipway.dev/slipway/internal/plan"
)

var updatePlans = flag.Bool("update-plans", false, "write testdata/plan_*.golden anew")

// aPlan is one to Live, as a manager makes it.
func aPlan() *plan.Plan {
	const arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/api/0123456789abcdef"
	old, fresh := []string{"i-01", "i-02"}, []string{"i-03", "i-04"}
	v1, v2 := plan.Share{Revision: "web-1", Version: "v1", Servers: old, Healthy: 2}, plan.Share{Revision: "web-2", Version: "v2", Servers: fresh, Healthy: 2}
	others := plan.Share{Servers: []string{"i-99"}, Healthy: 1}
	classic := func(name string, ids ...string) map[string]any {
		var list []any
		for _, id := range ids {
			list = append(list, map[string]any{"InstanceId": id})
		}
		return map[string]any{"LoadBalancerName": name, "Instances": list}
	}
	return &plan.Plan{
		Release: "shop/web", Version: "v2", Phase: "Preview", To: "Live", Effective: "Live", Why: "spec.phase is Live",
		Allowed: []string{"Preview", "Live", "RolledBack", "Complete"},
		Source: plan.Source{Manager: "slipway-controller-manager-7d9f-x2x4z", ReadAt: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC),
			Age: plan.Duration(4 * time.Second), Generation: 3, Declared: 3},
		Fleets: []plan.Fleet{
			{Revision: "web-1", Version: "v1", Before: plan.FleetState{Role: "stable", Servers: old}, After: plan.FleetState{Role: "stable", Servers: old}},
			{Revision: "web-2", Version: "v2", Before: plan.FleetState{Role: "candidate", Servers: fresh}, After: plan.FleetState{Role: "candidate", Servers: fresh}},
		},
		Pools: []plan.Pool{
			{Name: "edge", Use: "production", Kind: "classic", ID: "classic/eu-west-1/prod-elb-1", Before: []plan.Share{v1, others}, After: []plan.Share{v2, others}},
			{Name: "api", Use: "production", Kind: "alb", ID: arn, Before: []plan.Share{v1}, After: []plan.Share{v2}},
			{Name: "test", Use: "test", Kind: "classic", ID: "classic/eu-west-1/production-test", Before: []plan.Share{v2}},
		},
		Steps: []plan.Step{
			{Stage: "Promoting", Calls: []plan.Call{
				{Service: "elb", Operation: "RegisterInstancesWithLoadBalancer", Parameters: classic("prod-elb-1", fresh...),
					Reason: "promote: 2 servers (i-03, i-04) of version v2 into edge (prod-elb-1)"},
				{Service: "elbv2", Operation: "RegisterTargets", Reason: "promote: 2 servers (i-03, i-04) of version v2 into api",
					Parameters: map[string]any{"TargetGroupArn": arn, "Targets": []any{map[string]any{"Id": "i-03"}, map[string]any{"Id": "i-04"}}}},
			}},
			{Stage: "Promoting", NotBefore: plan.Duration(1500 * time.Millisecond), Calls: []plan.Call{
				{Service: "elb", Operation: "DeregisterInstancesFromLoadBalancer", Parameters: classic("prod-elb-1", old...),
					Reason: "switch to version v2: 2 servers (i-01, i-02) of version v1 out of edge (prod-elb-1)"},
				{Service: "elbv2", Operation: "DeregisterTargets", Reason: "switch to version v2: 2 servers (i-01, i-02) of version v1 out of api",
					Parameters: map[string]any{"TargetGroupArn": arn, "Targets": []any{map[string]any{"Id": "i-01", "Port": 80}, map[string]any{"Id": "i-02", "Port": 80}}}},
			}},
			{Stage: "Live", NotBefore: plan.Duration(3500 * time.Millisecond), Calls: []plan.Call{
				{Service: "elb", Operation: "DeregisterInstancesFromLoadBalancer", Parameters: classic("production-test", fresh...),
					Reason: "Live: leave the test pool: 2 servers (i-03, i-04) of version v2 out of test (production-test)"},
			}},
		},
		Reached: true, Outcome: "version v2 is Live; version v1 stands by: set spec.phase to RolledBack to go back, to Complete to end it",
	}
}

// aLaunch is one to Preview, with the long parameters, of a Release that is paused; and it does not get there.
func aLaunch() *plan.Plan {
	tags := []any{map[string]any{"Key": "Name", "Value": "web-2"}, map[string]any{"Key": "slipway.dev/role", "Value": "candidate"}}
	return &plan.Plan{
		Release: "shop/web", Version: "v2", To: "Preview", Effective: "RolledBack", Why: "verdict PromotionFailed: it was never healthy", Allowed: []string{"Preview"},
		Source: plan.Source{Manager: "m-1", ReadAt: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), Age: plan.Duration(90 * time.Second), Generation: 1, Declared: 2},
		Fleets: []plan.Fleet{{Revision: "web-2", Version: "v2", After: plan.FleetState{Role: "candidate", Servers: []string{"i-new-1"}}}},
		Pools:  []plan.Pool{{Name: "test", Use: "test", ID: "classic/eu-west-1/test", Unread: "Throttling: Rate exceeded"}},
		Steps: []plan.Step{{Stage: "Preparing", Calls: []plan.Call{{Service: "ec2", Operation: "RunInstances",
			Parameters: map[string]any{"ClientToken": "0e0f", "ImageId": "ami-2", "MinCount": 1, "MaxCount": 1, "UserData": "(not shown)",
				"SecurityGroupIds":  []any{"sg-1", "sg-2"},
				"MetadataOptions":   map[string]any{"HttpTokens": "required"},
				"TagSpecifications": []any{map[string]any{"ResourceType": "instance", "Tags": tags}, map[string]any{"ResourceType": "volume", "Tags": tags}}},
			Reason: "launch the candidate: 1 × c7g.large in subnet-a for version v2"}}}},
		Outcome:    "waiting for test to be readable",
		Unforeseen: []string{"spec.paused is set: until it is taken out, nothing of this happens but a rollback", "test could not be read"},
	}
}

// planCluster is an API server with one Release, a lease, and a manager's pod behind port forwarding.
type planCluster struct {
	*httptest.Server
	t         *testing.T
	mu        sync.Mutex
	manager   string // host:port of what answers for plans in the pod
	holder    string // of the lease; empty: there is no lease
	forwarded []string
	reached   func()        // before a port is forwarded; nil: nothing
	forbids   string        // a path that nobody may ask for, or the end of one
	refusal   string        // what is said to them
	held      chan struct{} // a port is forwarded only when it is closed; nil: at once
	ended     chan struct{} // is closed with the first forwarded connection; nil: nobody asks
}

func newPlanCluster(t *testing.T, answer http.Handler) *planCluster {
	manager := httptest.NewServer(answer)
	t.Cleanup(manager.Close)
	c := &planCluster{t: t, manager: manager.Listener.Addr().String(), holder: "slipway-abc_0b5f"}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /apis/slipway.dev/v1alpha1/namespaces/shop/releases/web", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"apiVersion":"slipway.dev/v1alpha1","kind":"Release","metadata":{"name":"web","namespace":"shop"}}`)
	})
	mux.HandleFunc("GET /apis/coordination.k8s.io/v1/namespaces/slipway-system/leases/manager.slipway.dev", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if c.holder == "" {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"apiVersion":"v1","kind":"Status","status":"Failure","reason":"NotFound","code":404}`)
			return
		}
		fmt.Fprintf(w, `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","spec":{"holderIdentity":%q}}`, c.holder)
	})
	mux.HandleFunc("POST /api/v1/namespaces/slipway-system/pods/{pod}/portforward", c.forward)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.forbids == "" || !strings.HasSuffix(r.URL.Path, c.forbids) {
			mux.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, c.refusal)
	}))
	t.Cleanup(c.Close)
	return c
}

// forward joins data streams to the manager, as a kubelet does.
func (c *planCluster) forward(w http.ResponseWriter, r *http.Request) {
	if c.held != nil {
		c.reached()
		<-c.held
	}
	if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
		return
	}
	var trouble httpstream.Stream
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, _ <-chan struct{}) error {
		if stream.Headers().Get(corev1.StreamType) != corev1.StreamTypeData {
			trouble = stream
			return nil
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.forwarded = append(c.forwarded, r.PathValue("pod")+":"+stream.Headers().Get(corev1.PortHeader))
		said := trouble
		go func() {
			defer stream.Close()
			defer said.Close()
			to, err := net.Dial("tcp", c.manager)
			if err != nil {
				fmt.Fprint(said, "error forwarding port: ", err)
				return
			}
			defer to.Close()
			go func() { _, _ = io.Copy(to, stream) }()
			_, _ = io.Copy(stream, to)
		}()
		return nil
	})
	if connection == nil {
		return
	}
	defer connection.Close()
	select {
	case <-connection.CloseChan():
		if c.ended != nil {
			close(c.ended)
		}
	case <-r.Context().Done():
	}
}

// kubeconfig leads to the API server, and to a manager on this machine where there is one.
func (c *planCluster) kubeconfig(local string) string {
	config := api.NewConfig()
	config.Clusters["here"] = &api.Cluster{Server: c.URL}
	if local != "" {
		config.Clusters["here"].Extensions = map[string]runtime.Object{planExtension: &runtime.Unknown{Raw: fmt.Appendf(nil, `{"address":%q}`, local)}}
	}
	config.Contexts["here"], config.CurrentContext = &api.Context{Cluster: "here", Namespace: "shop"}, "here"
	path := filepath.Join(c.t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// runPlan runs the command line, and leaves out of what it advises where the cluster is (here.go).
func runPlan(t *testing.T, kubeconfig string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	o := NewOptions(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: io.Discard})
	o.Now = time.Now
	root := &cobra.Command{Use: "kubectl-slipway", SilenceErrors: true, SilenceUsage: true}
	Setup(root, o)
	root.SetArgs(append([]string{"plan", "--kubeconfig", kubeconfig}, args...))
	err := root.ExecuteContext(t.Context())
	return strings.ReplaceAll(out.String(), " --kubeconfig="+kubeconfig, ""), err
}

// An API server that does not answer the request for a port holds neither command beyond its context, as Ctrl-C ends it, and what it
// opens later is closed.
func TestAPortThatIsNotForwarded(t *testing.T) {
	for _, args := range [][]string{{"plan", "web"}, {"doctor"}} {
		t.Run(args[0], func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			c := newPlanCluster(t, plansFor("/v1/plans/shop/web?to=", aPlan()))
			c.reached, c.held, c.ended = interrupt, make(chan struct{}), make(chan struct{})
			free := sync.OnceFunc(func() { close(c.held) })
			t.Cleanup(free)
			var out bytes.Buffer
			root := &cobra.Command{Use: "kubectl-slipway", SilenceErrors: true, SilenceUsage: true}
			Setup(root, NewOptions(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: io.Discard}))
			kubeconfig := c.kubeconfig("")
			root.SetArgs(append(args, "--kubeconfig", kubeconfig))
			ends := make(chan error, 1)
			go func() { ends <- root.ExecuteContext(ctx) }()
			select {
			case err := <-ends:
				if !errors.Is(err, context.Canceled) || out.Len() > 0 {
					t.Errorf("interrupted, it says: %v\n%s", err, out.String())
				}
				if want := "kubectl --kubeconfig=" + kubeconfig + " -n slipway-system port-forward pod/slipway-abc 8082"; args[0] == "plan" && !strings.Contains(err.Error(), want) {
					t.Errorf("it does not say what to type: %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it is interrupted, and does not end")
			}
			free()
			select {
			case <-c.ended:
			case <-time.After(10 * time.Second):
				t.Error("a connection that came too late stays open")
			}
		})
	}
}

// plansFor answers a path with a plan and any other with a refusal.
func plansFor(path string, p *plan.Plan) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() != path {
			w.WriteHeader(http.StatusServiceUnavailable)
			_ = json.NewEncoder(w).Encode(&plan.Refusal{Status: http.StatusServiceUnavailable, Message: "asked for " + r.URL.String()})
			return
		}
		_ = json.NewEncoder(w).Encode(p)
	})
}

// A plan on the screen, by both ways to the manager.
func TestPlanScreens(t *testing.T) {
	for name, row := range map[string]struct {
		plan *plan.Plan
		args []string
		path string
	}{
		"plan_live":   {aPlan(), []string{"web"}, "/v1/plans/shop/web?to="},
		"plan_launch": {aLaunch(), []string{"web", "--to=Preview"}, "/v1/plans/shop/web?to=Preview"},
		"plan_json":   {aPlan(), []string{"web", "--to", "Live", "-o", "json"}, "/v1/plans/shop/web?to=Live"},
		"plan_yaml":   {aLaunch(), []string{"web", "-o", "yaml"}, "/v1/plans/shop/web?to="},
	} {
		t.Run(name, func(t *testing.T) {
			c := newPlanCluster(t, plansFor(row.path, row.plan))
			through, err := runPlan(t, c.kubeconfig(""), row.args...)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(c.forwarded, " "); got != "slipway-abc:8082" {
				t.Errorf("forwarded to %q", got)
			}
			local, err := runPlan(t, c.kubeconfig(c.manager), row.args...)
			if err != nil || local != through || len(c.forwarded) != 1 {
				t.Errorf("by the address in the kubeconfig (%v), it says:\n%s\nand through the API server:\n%s", err, local, through)
			}
			golden := filepath.Join("testdata", name+".golden")
			if *updatePlans {
				if err := os.WriteFile(golden, []byte(through), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || through != string(want) {
				t.Errorf("(%v) it says:\n%s\nand should say:\n%s", err, through, want)
			}
		})
	}
}

// Without a plan it says why, and what to do.
func TestNoPlan(t *testing.T) {
	refuses := plansFor("nothing", nil)
	for name, row := range map[string]struct {
		change func(*planCluster)
		args   []string
		local  string
		code   int
		says   string
	}{
		"refused":        {nil, []string{"web"}, "", ExitFailed, "there is no plan: asked for /v1/plans/shop/web?to="},
		"no manager":     {func(c *planCluster) { c.holder = "" }, []string{"web"}, "", ExitFailed, "--manager-namespace"},
		"nobody answers": {func(c *planCluster) { c.manager = "127.0.0.1:1" }, []string{"web"}, "", ExitFailed, "error forwarding port: dial"},
		"local up ended": {nil, []string{"web"}, "127.0.0.1:1", ExitFailed, "still running?"},
		"no such phase":  {nil, []string{"web", "--to=live"}, "", ExitUsage, "it is one of"},
		"no such form":   {nil, []string{"web", "-o", "xml"}, "", ExitUsage, "json or yaml"},
		"no name":        {nil, nil, "", ExitUsage, "accepts 1 arg"},
		"no Release":     {nil, []string{"api"}, "", ExitNotFound, "there is no Release api"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newPlanCluster(t, refuses)
			if row.change != nil {
				row.change(c)
			}
			out, err := runPlan(t, c.kubeconfig(row.local), row.args...)
			if err == nil || out != "" || ExitCode(err) != row.code || !strings.Contains(err.Error(), row.says) {
				t.Errorf("exit status %d: %v\n%s", ExitCode(err), err, out)
			}
		})
	}
}
