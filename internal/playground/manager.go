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
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// managerStart is what the manager may take until it is ready: a second or two, more on a busy machine.
	managerStart = 2 * time.Minute
	// managerStop is what it may take to end by itself; then it is killed.
	managerStop = 45 * time.Second
	// managerAttempts: free ports are picked before the manager opens them, and rarely somebody else gets one first.
	managerAttempts = 3
	// ManagerKey is the access key of the manager, by which the ledger tells its calls from those of people.
	ManagerKey = "MANAGER"
)

// errEnded is a manager that ended before it was ready; with other ports another one may fare better.
var errEnded = errors.New("the manager ended as it started")

// process is the running manager.
type process struct {
	cmd     *exec.Cmd
	ended   chan struct{} // closed when it has ended
	err     error         // how, valid then
	metrics string        // URL
	plans   string        // host:port
}

// managerOptions are what the manager is started with.
type managerOptions struct {
	path, kubeconfig, log string
	endpoint, region      string
}

// startManager runs the manager and waits until it is ready.
func startManager(ctx context.Context, o managerOptions) (*process, error) {
	for attempt := 1; ; attempt++ {
		p, err := tryManager(ctx, o)
		if !errors.Is(err, errEnded) || attempt == managerAttempts {
			return p, err
		}
	}
}

func tryManager(ctx context.Context, o managerOptions) (*process, error) {
	addresses, err := freeAddresses(3)
	if err != nil {
		return nil, err
	}
	p, err := launch(o, addresses)
	if err != nil {
		return nil, err
	}
	if err := p.waitUntilReady(ctx, "http://"+addresses[1]+"/readyz"); err != nil {
		return nil, errors.Join(fmt.Errorf("%w\nThe end of its log:\n%s", err, tail(o.log)), p.stop(managerStop))
	}
	return p, nil
}

// launch starts the process, with addresses for metrics, probes and plans.
func launch(o managerOptions, addresses []string) (*process, error) {
	log, err := os.Create(o.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the manager has its own descriptor of it
	// With a lease, as on a cluster: its renewals are among the calls of the API server that a person sees.
	cmd := exec.Command(o.path, "--kubeconfig="+o.kubeconfig, "--leader-elect", "--leader-election-namespace=kube-system",
		"--metrics-bind-address="+addresses[0], "--metrics-secure=false", "--health-probe-bind-address="+addresses[1],
		"--plan-bind-address="+addresses[2], "--cluster-name="+clusterName)
	cmd.Env = managerEnvironment(o.endpoint, o.region)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = ownSession()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the manager: %w", err)
	}
	p := &process{cmd: cmd, ended: make(chan struct{}), metrics: "http://" + addresses[0] + "/metrics", plans: addresses[2]}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// managerEnvironment is ours without anything of AWS, so that no real account can be meant, and with the local one.
func managerEnvironment(endpoint, region string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	return append(env, "AWS_ENDPOINT_URL="+endpoint, "AWS_REGION="+region, "AWS_ACCESS_KEY_ID="+ManagerKey, "AWS_SECRET_ACCESS_KEY=local",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true")
}

func (p *process) waitUntilReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, managerStart, fmt.Errorf("the manager is not ready after %s", managerStart))
	defer cancel()
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, false, func(ctx context.Context) (bool, error) {
		select {
		case <-p.ended:
			return false, fmt.Errorf("%w: %w", errEnded, p.result())
		default:
		}
		return answersOK(ctx, url), nil
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// answersOK reports whether a GET is answered with 200.
func answersOK(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, response.Body) // only the status counts
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// result is how the manager ended, an error in any case: nobody had told it to.
func (p *process) result() error {
	if p.err == nil {
		return errors.New("exit status 0")
	}
	return p.err
}

// stop asks the manager to end, and kills it if it has not after a while. It gives its lease back as it ends.
func (p *process) stop(within time.Duration) error {
	select {
	case <-p.ended:
		return nil
	default:
	}
	if err := interrupt(p.cmd.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending the manager: %w", err)
	}
	patience := time.NewTimer(within)
	defer patience.Stop()
	select {
	case <-p.ended:
		return nil
	case <-patience.C:
		killed := p.cmd.Process.Kill()
		<-p.ended
		return errors.Join(fmt.Errorf("the manager did not end within %s and was killed", within), killed)
	}
}

// freeAddresses picks loopback addresses that nobody listens on now.
func freeAddresses(n int) ([]string, error) {
	var picked []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer listener.Close() //nolint:errcheck // nobody ever connected to it
		picked = append(picked, listener.Addr().String())
	}
	return picked, nil
}

// tail is the end of a file, for an error's reader.
func tail(path string) string {
	const enough = 4 << 10
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Sprintf("(it cannot be read: %v)", err)
	}
	return string(text[max(0, len(text)-enough):])
}
