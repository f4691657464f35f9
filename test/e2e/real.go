package e2e

import (
	"cmp"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/controlplane"
	"slipway.dev/slipway/internal/operator"
)

// Machine is what worlds in real time share: a real API server, and the manager's binary. They can be played side by side.
type Machine struct {
	// Plane has the definitions of config/crd/bases.
	Plane *controlplane.ControlPlane
	// Manager is the path of the manager, as `go build` makes it.
	Manager string
	// Metrics lets managers serve theirs on loopback, without TLS: Process.Metrics. Profiles, Go's: Process.Profiles.
	Metrics, Profiles bool
	// Concurrent is how many Releases a manager works on at a time; 0: a few, as suits a world with one Release.
	Concurrent int
	// Flags has the first process of a world beside those that each has.
	Flags []string
}

// NewReal makes a world in real time, that managers in processes of their own look after, with a lease, as on a cluster. One is
// started. They reach AWS and the API server through this process alone, by which tap sees all of their calls; nil lets them pass.
// The API server shows them this world's namespace and classes and no others, so that many worlds can share it.
func NewReal(t T, on Machine, temper Temper, tap Tap) *World {
	t.Helper()
	config := on.Plane.Config()
	config.QPS = -1
	kube, err := client.New(config, client.Options{Scheme: operator.Scheme()})
	if err != nil {
		t.Fatalf("%v", err)
	}
	w := newWorld(t, kube, NewWall(), temper, worlds.Add(1))
	w.observed = oneSweep
	folder, err := os.MkdirTemp("", "slipway-real-")
	w.must("make a folder", err)
	w.Cleanup(func() { _ = os.RemoveAll(folder) })
	w.Cleanup(w.readLogs)
	w.man(tap, func(p *Process) { on.run(p, folder) }, shortly, on.Flags...)
	return w
}

// shortly lets a burst of calls go by, and informers hear of it.
func shortly() { <-time.After(20 * time.Millisecond) }

// hosted is what the operating system has of a process.
type hosted struct {
	cmd    *exec.Cmd
	server *http.Server // its only way out
	log    string       // path
	mayEnd atomic.Bool  // by itself
	// Where it serves them.
	metrics, profiles string
}

// hostings numbers processes, for the files that the guard of the control plane keeps of them.
var hostings atomic.Int64

// run starts the manager's binary.
func (on Machine) run(p *Process, folder string) {
	w := p.world
	if n := len(w.staff); n > 1 {
		p.Key = fmt.Sprintf("%s%d", controllerKey, n)
		w.employ(p.Key)
	}
	if err := on.start(p, filepath.Join(folder, p.Key)); err != nil {
		w.laws.Add("a manager cannot be started: %v", err)
		close(p.Ended)
	}
}

func (on Machine) start(p *Process, files string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ways, err := on.ways(p)
	if err != nil {
		return err
	}
	h, address := &p.hosted, "http://"+listener.Addr().String()
	h.server = &http.Server{Handler: ways, ReadHeaderTimeout: time.Minute, ErrorLog: nobody}
	go func() { _ = h.server.Serve(listener) }() // until it is closed
	kubeconfig := files + ".kubeconfig"
	if err := writeKubeconfig(kubeconfig, address); err != nil {
		return err
	}
	path, err := on.Plane.Guarded(fmt.Sprintf("manager-%d", hostings.Add(1)), cmp.Or(p.manager, on.Manager))
	if err != nil {
		return err
	}
	h.log = files + ".log"
	output, err := os.Create(h.log)
	if err != nil {
		return err
	}
	defer func() { _ = output.Close() }() // the process has its own descriptor of it
	metrics, err := freeAddress(on.Metrics)
	if err != nil {
		return err
	}
	profiles, err := freeAddress(on.Profiles)
	if err != nil {
		return err
	}
	h.metrics, h.profiles = "http://"+metrics+"/metrics", "http://"+profiles+"/debug/pprof/"
	h.cmd = exec.Command(path, append([]string{"--kubeconfig=" + kubeconfig, "--leader-elect", "--leader-election-namespace=" + p.world.Namespace,
		"--metrics-bind-address=" + metrics, "--metrics-secure=false", "--pprof-bind-address=" + profiles,
		"--health-probe-bind-address=0", "--plan-bind-address=0", "--cluster-name=" + clusterName,
		fmt.Sprintf("--max-concurrent-reconciles=%d", cmp.Or(on.Concurrent, 4))}, p.flags...)...)
	h.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") }),
		"AWS_ENDPOINT_URL="+address, "AWS_REGION="+p.world.AWS.Region(), "AWS_ACCESS_KEY_ID="+p.Key, "AWS_SECRET_ACCESS_KEY="+awsSecret,
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true")
	h.cmd.Stdout, h.cmd.Stderr = output, output
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that the guard can end it, with all that it started
	if err := h.cmd.Start(); err != nil {
		return err
	}
	go p.wait(path + ".pid")
	return nil
}

// freeAddress is one for a process to listen at: with a port that is free now, and that hardly anybody else takes meanwhile; "0", which is
// nowhere, where it is not to listen.
func freeAddress(listens bool) (string, error) {
	if !listens {
		return "0", nil
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return free.Addr().String(), free.Close()
}

func writeKubeconfig(file, server string) error {
	const name = "slipway"
	return clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{name: {Server: server}},
		Contexts: map[string]*clientcmdapi.Context{name: {Cluster: name}}, CurrentContext: name,
	}, file)
}

// wait waits for the process's end. The guard of the control plane forgets it then: its id may be another's soon.
func (p *Process) wait(pid string) {
	defer close(p.Ended)
	err := p.hosted.cmd.Wait()
	_ = os.Remove(pid)
	_ = p.hosted.server.Close()
	if p.dead.Swap(true) {
		return
	}
	close(p.died)
	if !p.hosted.mayEnd.Load() {
		p.world.laws.Add("the manager %s ended by itself: %v", p.Key, err)
	}
}

// kill is SIGKILL, for a process that was started.
func (h *hosted) kill() {
	if h.cmd != nil && h.cmd.Process != nil {
		_ = h.cmd.Process.Kill() // an error: it has ended
		_ = h.server.Close()
	}
}

// Stop asks the process to end, as kubelet does at first.
func (p *Process) Stop() { p.signal(syscall.SIGTERM) }

// Freeze stops the process where it is: it does nothing any more and is not told so, as one whose machine is paused.
func (p *Process) Freeze() { p.signal(syscall.SIGSTOP) }

// Thaw lets it go on.
func (p *Process) Thaw() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(s os.Signal) {
	p.MayEnd()
	if err := p.hosted.cmd.Process.Signal(s); err != nil {
		p.world.laws.Add("%s cannot get the signal %s: %v", p.Key, s, err)
	}
}

// PID is the id that the operating system gave the process; 0 if it was never started.
func (p *Process) PID() int {
	if p.hosted.cmd == nil || p.hosted.cmd.Process == nil {
		return 0
	}
	return p.hosted.cmd.Process.Pid
}

// Metrics is the URL of its metrics, where Machine.Metrics is set.
func (p *Process) Metrics() string { return p.hosted.metrics }

// Profiles is the URL under which its profiles are, where Machine.Profiles is set.
func (p *Process) Profiles() string { return p.hosted.profiles }

// MayEnd says that the process may end by itself from now on, as one does that has lost the lease.
func (p *Process) MayEnd() { p.hosted.mayEnd.Store(true) }

// nobody reads what servers log of clients that were killed.
var nobody = log.New(io.Discard, "", 0)

// ways are the process's, to AWS and to the API server: calls of AWS's protocols are posted to the root.
func (on Machine) ways(p *Process) (http.Handler, error) {
	config := on.Plane.Config()
	secured, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	way := func(next http.RoundTripper, rewrite func(*httputil.ProxyRequest)) http.Handler {
		return &httputil.ReverseProxy{
			Rewrite: rewrite, Transport: next, ErrorLog: nobody, FlushInterval: -1, // watches are told at once
			ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // closes the connection
		}
	}
	all := http.NewServeMux()
	all.Handle("POST /{$}", way(wired{ToAWS, awsCall, p.world.AWS.Transport(), p}, func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", "aws.local"
	}))
	all.Handle("/", way(wired{ToKube, kubeCall, secured, p}, func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = server.Scheme, server.Host
		p.world.narrow(r.Out.URL)
	}))
	return all, nil
}

// narrow makes a request for all objects of a kind one for those of this world.
func (w *World) narrow(u *url.URL) {
	folder, kind := path.Split(u.Path)
	switch kind {
	case "releases", "controllerrevisions":
		if !strings.Contains(folder, "/namespaces/") {
			u.Path = folder + "namespaces/" + w.Namespace + "/" + kind
		}
	case "releaseclasses":
		narrowTo(u, "labelSelector", classLabel+"="+w.Namespace)
	case "namespaces":
		narrowTo(u, "fieldSelector", "metadata.name="+w.Namespace)
	}
}

func narrowTo(u *url.URL, by, selector string) {
	query := u.Query()
	query.Set(by, selector)
	u.RawQuery = query.Encode()
}

// written is the log of a manager.
type written struct{ key, text string }

// logs are what the managers have written so far, in the order in which they were started.
func (w *World) logs() (all []written) {
	w.manned.Lock()
	defer w.manned.Unlock()
	for _, p := range w.staff {
		if p.hosted.log == "" {
			continue
		}
		text, err := os.ReadFile(p.hosted.log)
		if err != nil {
			text = []byte(err.Error())
		}
		all = append(all, written{p.Key, string(text)})
	}
	return all
}

// readLogs fails a world whose managers wrote of a panic that was caught, or a secret.
func (w *World) readLogs() {
	w.Helper()
	for _, of := range w.logs() {
		if line := panicked.FindString(of.text); line != "" {
			w.Fatalf("%s panicked: %s\n%s", of.key, line, w.Story())
		}
		if secret := SecretIn(of.text); secret != "" {
			w.Fatalf("broken law: law 11: the log of %s has %s\n%s", of.key, secret, w.Story())
		}
	}
}

// panicked is a line about a panic that was caught, by us or by controller-runtime. One that nobody catches ends the process.
var panicked = regexp.MustCompile(`(?m)^.*(panicked|Slipway: panic|Observed a panic).*$`)

// describeProcesses puts the ends of the managers' logs into lines.
func (w *World) describeProcesses(text *strings.Builder) {
	for _, of := range w.logs() {
		lines := strings.Split(strings.TrimSpace(of.text), "\n")
		fmt.Fprintf(text, "the log of %s:\n%s\n", of.key, strings.Join(last(lines, 15), "\n"))
	}
}

// Log is the path of the file that the process logs to, as long as the world is there.
func (p *Process) Log() string { return p.hosted.log }
