package playground

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"

	"slipway.dev/slipway/internal/controlplane"
	"slipway.dev/slipway/internal/localaws"
)

// Options say what to start a world from.
type Options struct {
	// Manager is the path of the manager's binary.
	Manager string
	// Config is the path of the repository's folder config, which has the CustomResourceDefinitions and the samples.
	Config string
	// Seed feeds AWS's random delays and ids. Worlds with the same seed draw alike.
	Seed int64
	// Progress gets lines for people while things start; the first start on a machine takes minutes. Default: discarded.
	Progress io.Writer
}

// World is a running control plane, local AWS and manager.
type World struct {
	// AWS is the local AWS, which keeps the ground truth.
	AWS *localaws.Cloud
	// Endpoint is the URL that AWS_ENDPOINT_URL is to be set to; Region is AWS's region.
	Endpoint, Region string
	// Plane is the Kubernetes control plane.
	Plane *controlplane.ControlPlane
	// ManagerLog is the path of the file that the manager logs to, in JSON. It goes with the world.
	ManagerLog string
	// MetricsURL is where the manager's metrics are, in plain HTTP.
	MetricsURL string

	samples string
	manager *process
	undo    []func() error // in reverse order
}

// Start makes a world: about ten seconds, once the control plane's binaries exist. The context bounds the start alone;
// where it fails, or the context ends, nothing is left. Call Stop at the end.
func Start(ctx context.Context, o Options) (*World, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	w := &World{samples: filepath.Join(o.Config, "samples")}
	for _, step := range []func(context.Context, Options) error{w.startPlane, w.startAWS, w.startManager, w.applyClass} {
		if err := step(ctx, o); err != nil {
			return nil, errors.Join(err, w.Stop())
		}
	}
	return w, nil
}

// Prepare makes what is made once on a machine, the control plane's binaries, so that a Start after it is quick. Without
// it, Start makes them.
func Prepare(ctx context.Context, o Options) error {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if err := o.check(); err != nil {
		return err
	}
	_, err := controlplane.Assets(ctx, o.Progress)
	return err
}

// check names what is missing before anything is started.
func (o Options) check() error {
	if _, err := exec.LookPath(o.Manager); err != nil {
		return fmt.Errorf("the manager's binary: %w (make build makes it; --manager says where it is)", err)
	}
	for _, folder := range []string{"crd/bases", "samples"} {
		if _, err := os.Stat(filepath.Join(o.Config, folder)); err != nil {
			return fmt.Errorf("the folder with the definitions and samples: %w (it is config in Slipway's source tree; --config says where)", err)
		}
	}
	return nil
}

func (w *World) startPlane(ctx context.Context, o Options) error {
	fmt.Fprintln(o.Progress, "starting kube-apiserver and etcd")
	plane, err := controlplane.Start(ctx, controlplane.Options{
		CRDPaths: []string{filepath.Join(o.Config, "crd", "bases")}, Progress: o.Progress,
	})
	if err != nil {
		return err
	}
	w.Plane = plane
	w.undo = append(w.undo, plane.Stop)
	return nil
}

// startAWS opens the endpoint, makes the pools through it and turns the data plane on.
func (w *World) startAWS(ctx context.Context, o Options) error {
	fmt.Fprintln(o.Progress, "starting the local AWS with three load balancers")
	w.AWS = localaws.New(localaws.Options{Seed: o.Seed, Knobs: knobs()})
	w.undo = append(w.undo, func() error { w.AWS.Close(); return nil })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("opening the endpoint of the local AWS: %w", err)
	}
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- w.AWS.Serve(serving, listener) }()
	w.undo = append(w.undo, func() error { end(); return <-served })
	w.Endpoint, w.Region = "http://"+listener.Addr().String(), w.AWS.Region()

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if err := furnish(ctx, client, w.Endpoint, w.Region, w.AWS.DefaultWorld()); err != nil {
		return err
	}
	if err := w.AWS.SetStart(); err != nil {
		return err
	}
	if err := w.AWS.StartDataPlane(serving, localaws.DataPlaneOptions{}); err != nil {
		return fmt.Errorf("starting the servers and listeners of the local AWS: %w", err)
	}
	return nil
}

func (w *World) startManager(ctx context.Context, o Options) error {
	fmt.Fprintln(o.Progress, "starting the manager")
	// The control plane's folder goes with it, however this process ends; so does the log.
	w.ManagerLog = filepath.Join(filepath.Dir(w.Plane.KubeconfigPath), "manager.log")
	// A lease ends a manager that has one; from its first moment on the guard does.
	path, err := w.Plane.Guarded("manager", o.Manager)
	if err != nil {
		return err
	}
	p, err := startManager(ctx, managerOptions{
		path: path, kubeconfig: w.Plane.KubeconfigPath, log: w.ManagerLog, endpoint: w.Endpoint, region: w.Region,
	})
	if err != nil {
		return err
	}
	w.manager, w.MetricsURL = p, p.metrics
	w.undo = append(w.undo, func() error { return p.stop(managerStop) })
	return nameManager(w.Plane.KubeconfigPath, p.plans)
}

// planExtension of a cluster in a kubeconfig tells `kubectl slipway plan` where the manager answers: here it has no pod to forward a
// port to. Package cli reads it.
const planExtension = "slipway.dev/plan"

// nameManager writes the manager's address into the kubeconfig.
func nameManager(kubeconfig, address string) error {
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig of this world: %w", err)
	}
	for _, cluster := range config.Clusters {
		if cluster.Extensions == nil {
			cluster.Extensions = map[string]runtime.Object{}
		}
		cluster.Extensions[planExtension] = &runtime.Unknown{ContentType: runtime.ContentTypeJSON, Raw: fmt.Appendf(nil, `{"address":%q}`, address)}
	}
	return clientcmd.WriteToFile(*config, kubeconfig)
}

// applyClass makes the samples' class the default one.
func (w *World) applyClass(ctx context.Context, _ Options) error {
	_, err := w.Kubectl(ctx, "apply", "-f", w.Sample("releaseclass.yaml"))
	return err
}

// Sample is the path of one of the manifests in config/samples.
func (w *World) Sample(name string) string { return filepath.Join(w.samples, name) }

// Kubectl runs the real one as a cluster administrator and gives what it printed. Its error has what it said.
func (w *World) Kubectl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, w.Plane.KubectlPath, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+w.Plane.KubeconfigPath, "KUBECACHEDIR="+filepath.Join(filepath.Dir(w.Plane.KubeconfigPath), "kubectl-cache"))
	cmd.SysProcAttr = ownSession()
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		if ctx.Err() != nil {
			return text, context.Cause(ctx)
		}
		return text, fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, text)
	}
	return text, nil
}

// ManagerEnded is closed when the manager has ended. Before Stop, that is a failure: see ManagerError.
func (w *World) ManagerEnded() <-chan struct{} { return w.manager.ended }

// ManagerError says how the manager ended, with the end of its log. Call it after ManagerEnded and before Stop.
func (w *World) ManagerError() error {
	return fmt.Errorf("the manager ended by itself: %w\nThe end of its log:\n%s", w.manager.result(), tail(w.ManagerLog))
}

// Stop ends everything, the manager first, and removes every file. It may be called more than once.
func (w *World) Stop() error {
	var all error
	for len(w.undo) > 0 {
		last := len(w.undo) - 1
		undo := w.undo[last]
		w.undo = w.undo[:last]
		all = errors.Join(all, undo())
	}
	return all
}
