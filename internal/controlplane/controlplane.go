package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	// startTimeout is what each process may take: about two seconds on an idle machine, far longer where a compiler and the
	// race detector share two cores with it.
	startTimeout = 2 * time.Minute
	// stopTimeout is what each may take to end by itself before it is killed.
	stopTimeout = 20 * time.Second
	// attempts: envtest picks free ports before the processes bind them. Rarely, somebody else's connection gets one first.
	attempts = 3
)

// Options say what to start. The zero value is a bare control plane that says nothing.
type Options struct {
	// CRDPaths are files and folders with CustomResourceDefinitions to install. One that does not exist is an error.
	CRDPaths []string
	// CRDs are installed beside those of CRDPaths; for callers that run far from the source tree.
	CRDs []*apiextensionsv1.CustomResourceDefinition
	// Progress gets lines for people while the binaries are built. Default: discarded.
	Progress io.Writer
}

// ControlPlane is a running kube-apiserver with its etcd. RBAC decides who may do what, as on a cluster.
type ControlPlane struct {
	// KubeconfigPath is a kubeconfig file of a cluster administrator. It is removed by Stop.
	KubeconfigPath string
	// KubectlPath is a kubectl of the same version as the server.
	KubectlPath string

	plane  *envtest.ControlPlane
	config *rest.Config
	guard  *guard

	stopOnce sync.Once
	stopErr  error
}

// Start finds or builds the binaries (see Assets), starts both processes, waits until the API server serves and the
// definitions are established, and writes the kubeconfig: about five seconds once the binaries exist. The context
// bounds the start alone; when it ends before, nothing is left running. Call Stop at the end. The processes
// also end, and their files go, when this process ends in any other way.
func Start(ctx context.Context, opts Options) (*ControlPlane, error) {
	if opts.Progress == nil {
		opts.Progress = io.Discard
	}
	assetsDir, err := Assets(ctx, opts.Progress)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		if ctx.Err() != nil {
			return nil, givenUp(ctx)
		}
		cp, err := start(ctx, assetsDir, opts)
		if err == nil {
			return cp, nil
		}
		var failed *processError
		if attempt == attempts || !errors.As(err, &failed) {
			return nil, err
		}
		fmt.Fprintf(opts.Progress, "control plane: starting it again, for attempt %d of %d failed: %v\n", attempt, attempts, err)
	}
}

// processError is a process that did not come up, with the end of its log; another attempt, on other ports, may well succeed.
type processError struct {
	err error
	log string
}

func (e *processError) Error() string {
	return fmt.Sprintf("starting the control plane: %v\n%s", e.err, e.log)
}

func (e *processError) Unwrap() error { return e.err }

// start makes one attempt, and cleans up after one that fails or is given up.
func start(ctx context.Context, assetsDir string, opts Options) (*ControlPlane, error) {
	dir, err := os.MkdirTemp("", "slipway-control-plane-")
	if err != nil {
		return nil, err
	}
	guard, err := startGuard(dir, assetsDir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	cp := &ControlPlane{
		KubeconfigPath: filepath.Join(dir, "kubeconfig"),
		KubectlPath:    filepath.Join(assetsDir, "kubectl"),
		guard:          guard,
	}
	up := make(chan struct{})
	go func() {
		defer close(up)
		err = cp.bringUp(ctx, dir, opts)
	}()
	select {
	case <-up:
	case <-ctx.Done():
		// envtest knows no context: take away its processes, and it returns.
		cleaned := guard.end()
		<-up
		if cleaned != nil { // the guard was killed: what it did not end is ended here
			cleaned = errors.Join(cleaned, cp.stopProcesses(), os.RemoveAll(dir))
		}
		return nil, errors.Join(givenUp(ctx), cleaned)
	}
	switch {
	case err == nil:
		return cp, nil
	case ctx.Err() != nil: // that is why it failed
		err = givenUp(ctx)
	}
	return nil, errors.Join(err, cp.Stop())
}

// givenUp is the error of a start whose context ended.
func givenUp(ctx context.Context) error {
	return fmt.Errorf("starting the control plane: %w", context.Cause(ctx))
}

// bringUp starts the processes and prepares the API server.
func (cp *ControlPlane) bringUp(ctx context.Context, dir string, opts Options) error {
	if err := cp.startProcesses(dir); err != nil {
		return err
	}
	admin, err := cp.AddUser("admin", "system:masters")
	if err != nil {
		return err
	}
	cp.config = admin.Config()
	kubeconfig, err := admin.KubeConfig()
	if err != nil {
		return err
	}
	if err := os.WriteFile(cp.KubeconfigPath, kubeconfig, 0o600); err != nil {
		return err
	}
	if err := waitForNamespace(ctx, cp.config, corev1.NamespaceDefault); err != nil {
		return err
	}
	return installDefinitions(ctx, cp.config, opts)
}

// startProcesses runs etcd and kube-apiserver with all of their files under dir.
func (cp *ControlPlane) startProcesses(dir string) error {
	etcd := &envtest.Etcd{
		Path: filepath.Join(dir, "etcd"), DataDir: filepath.Join(dir, "data"),
		StartTimeout: startTimeout, StopTimeout: stopTimeout,
	}
	apiServer := &envtest.APIServer{
		Path: filepath.Join(dir, "kube-apiserver"), CertDir: filepath.Join(dir, "certificates"),
		StartTimeout: startTimeout, StopTimeout: stopTimeout,
	}
	if err := errors.Join(os.Mkdir(etcd.DataDir, 0o700), os.Mkdir(apiServer.CertDir, 0o700)); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the processes have their own descriptors of it
	etcd.Out, etcd.Err, apiServer.Out, apiServer.Err = log, log, log, log

	cp.plane = &envtest.ControlPlane{Etcd: etcd, APIServer: apiServer, KubectlPath: cp.KubectlPath}
	if err := cp.plane.Start(); err != nil {
		return &processError{err: err, log: tail(log.Name())}
	}
	return nil
}

// tail returns the end of a log, for an error's reader.
func tail(path string) string {
	const enough = 4 << 10
	log, err := os.ReadFile(path)
	if err != nil {
		return fmt.Sprintf("(its log cannot be read: %v)", err)
	}
	return string(log[max(0, len(log)-enough):])
}

// waitForNamespace waits until the API server has made one of its own namespaces: it serves a little earlier than that.
func waitForNamespace(ctx context.Context, config *rest.Config, name string) error {
	reader, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, startTimeout, true, func(ctx context.Context) (bool, error) {
		err := reader.Get(ctx, types.NamespacedName{Name: name}, &corev1.Namespace{})
		return err == nil, client.IgnoreNotFound(err)
	})
	if err != nil {
		return fmt.Errorf("waiting for the API server to make the namespace %s: %w", name, err)
	}
	return nil
}

// Config returns a client configuration of a cluster administrator, with no client-side rate limit that a test would feel.
// It is a copy, the caller's to change.
func (cp *ControlPlane) Config() *rest.Config { return rest.CopyConfig(cp.config) }

// AddUser makes a client certificate for a user of that name in those groups. What the user may do is up to RBAC
// ("system:masters" may do everything). The result gives a rest.Config and the text of a kubeconfig.
func (cp *ControlPlane) AddUser(name string, groups ...string) (*envtest.AuthenticatedUser, error) {
	user, err := cp.plane.AddUser(envtest.User{Name: name, Groups: groups}, &rest.Config{QPS: 1000, Burst: 2000})
	if err != nil {
		return nil, fmt.Errorf("making the user %s: %w", name, err)
	}
	return user, nil
}

// Guarded gives the path by which to start a program that must not outlive the control plane, under a name of the caller's:
// if our process is killed, the guard ends the program too. It has to be started as the leader of a process group of its
// own, so that it can be ended with all that it started. Whoever starts it stops it before Stop.
func (cp *ControlPlane) Guarded(name, program string) (string, error) {
	return cp.guard.guarded(name, program)
}

// Stop ends both processes and removes every file. It can be called more than once; each call gives the first one's result.
func (cp *ControlPlane) Stop() error {
	cp.stopOnce.Do(func() {
		stopped := cp.stopProcesses()
		if stopped == nil {
			stopped = cp.guard.forget()
		}
		// The guard removes the folder; where somebody killed the guard, nobody else does.
		cp.stopErr = errors.Join(stopped, cp.guard.end(), os.RemoveAll(cp.guard.dir))
	})
	return cp.stopErr
}

// stopProcesses ends what envtest started, if it started anything.
func (cp *ControlPlane) stopProcesses() error {
	if cp.plane == nil {
		return nil
	}
	return cp.plane.Stop()
}
