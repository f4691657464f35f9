package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"

	"slipway.dev/slipway/internal/plan"
)

const (
	// planLease is the lease of the manager that leads.
	planLease = "manager.slipway.dev"
	// planExtension of a cluster in a kubeconfig names the address of a manager on this machine, as `local up` writes it.
	planExtension = "slipway.dev/plan"
	// planWait is how long an answer may take.
	planWait = 65 * time.Second
)

// planSource is where the manager that leads is found.
type planSource struct {
	namespace string
	port      int
}

// ask gets a plan from the manager that leads.
func (s planSource) ask(ctx context.Context, o *Options, namespace, name, to string) (*plan.Plan, error) {
	p := &plan.Plan{}
	err := s.fetch(ctx, o, plan.Path(namespace, name), url.Values{"to": {to}}, func(answer *http.Response) error { return readAnswer(answer, "plan", p) })
	if err != nil {
		return nil, err
	}
	return p, nil
}

// fetch asks the manager that leads: by the address that the kubeconfig names, else through a port forwarded to its pod.
func (s planSource) fetch(ctx context.Context, o *Options, path string, query url.Values, read func(*http.Response) error) error {
	ctx, cancel := context.WithTimeout(ctx, planWait)
	defer cancel()
	target := url.URL{Scheme: "http", Host: "manager", Path: path, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return err
	}
	connection, err := s.dial(ctx, o)
	if err != nil {
		return err
	}
	defer connection.Close() //nolint:errcheck // the answer was read, or the error said
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	err = request.Write(connection)
	var answer *http.Response
	if err == nil {
		answer, err = http.ReadResponse(bufio.NewReader(connection), request)
	}
	if err != nil {
		return fmt.Errorf("the manager does not answer on port %d (is its --plan-bind-address another one, or 0? See --manager-port): %w", s.port, err)
	}
	defer answer.Body.Close() //nolint:errcheck // read to its end
	return read(answer)
}

// readAnswer tells an answer of a kind ("plan") from a refusal.
func readAnswer(answer *http.Response, kind string, into any) error {
	if answer.StatusCode != http.StatusOK {
		refusal := plan.Refusal{}
		if err := json.NewDecoder(answer.Body).Decode(&refusal); err != nil || refusal.Message == "" {
			return fmt.Errorf("the manager answers %s: it is of another version, or not a manager of Slipway", answer.Status)
		}
		code := map[int]int{http.StatusNotFound: ExitNotFound, http.StatusBadRequest: ExitUsage}[answer.StatusCode]
		if code == 0 {
			code = ExitFailed
		}
		return exitf(code, "there is no %s: %s", kind, refusal.Message)
	}
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		return fmt.Errorf("reading the %s: %w", kind, err)
	}
	return nil
}

// dial opens a connection to the manager.
func (s planSource) dial(ctx context.Context, o *Options) (io.ReadWriteCloser, error) {
	address, err := localManager(o)
	if err != nil {
		return nil, err
	}
	if address != "" {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("the manager that this kubeconfig names at %s does not answer (is `kubectl slipway local up` still running?): %w", address, err)
		}
		return connection, nil
	}
	config, err := o.Flags.ToRESTConfig()
	if err != nil {
		return nil, explainConnection(err)
	}
	pod, err := s.leader(ctx, config)
	if err != nil {
		return nil, err
	}
	return s.forwardWithin(ctx, config, pod)
}

// localManager is the address that the kubeconfig names for the cluster in use; empty where it names none.
func localManager(o *Options) (string, error) {
	raw, err := o.Flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return "", explainConnection(err)
	}
	name := raw.CurrentContext
	if *o.Flags.Context != "" {
		name = *o.Flags.Context
	}
	cluster := *o.Flags.ClusterName
	if used := raw.Contexts[name]; used != nil && cluster == "" {
		cluster = used.Cluster
	}
	found := raw.Clusters[cluster]
	if found == nil || *o.Flags.APIServer != "" {
		return "", nil
	}
	unknown, is := found.Extensions[planExtension].(*runtime.Unknown)
	if !is {
		return "", nil
	}
	var extension struct{ Address string }
	if err := json.Unmarshal(unknown.Raw, &extension); err != nil || extension.Address == "" {
		return "", exitf(ExitUsage, "the kubeconfig's extension %s of cluster %s names no address", planExtension, cluster)
	}
	return extension.Address, nil
}

// coreClient speaks the Kubernetes API of a group version.
func coreClient(config *rest.Config, group runtime.GroupVersioner, path string) (*rest.RESTClient, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), coordinationv1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.APIPath, config.NegotiatedSerializer = path, serializer.NewCodecFactory(scheme).WithoutConversion()
	version := corev1.SchemeGroupVersion
	if group == coordinationv1.SchemeGroupVersion {
		version = coordinationv1.SchemeGroupVersion
	}
	config.GroupVersion = &version
	return rest.RESTClientFor(config)
}

// leader is the name of the pod whose manager leads, as its lease has it.
func (s planSource) leader(ctx context.Context, config *rest.Config) (string, error) {
	c, err := coreClient(config, coordinationv1.SchemeGroupVersion, "/apis")
	if err != nil {
		return "", err
	}
	lease := &coordinationv1.Lease{}
	err = c.Get().Namespace(s.namespace).Resource("leases").Name(planLease).Do(ctx).Into(lease)
	if apierrors.IsNotFound(err) {
		return "", fmt.Errorf("no manager of Slipway leads in namespace %s (there is no lease %s): name the namespace with --manager-namespace, or see that the "+
			"manager runs, with --leader-elect", s.namespace, planLease)
	}
	if err != nil {
		return "", fmt.Errorf("finding the manager that leads, by the lease %s in namespace %s: %w", planLease, s.namespace, err)
	}
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return "", fmt.Errorf("no manager leads now: the lease %s in namespace %s has no holder; ask again in a moment", planLease, s.namespace)
	}
	pod, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_") // and a uuid
	return pod, nil
}

// forwardWithin does not wait longer for forward than the context allows, of which client-go's dialers know nothing: an API server that
// accepts the request and never answers holds them for good. A connection that comes too late is closed.
func (s planSource) forwardWithin(ctx context.Context, config *rest.Config, pod string) (io.ReadWriteCloser, error) {
	type opened struct {
		io.ReadWriteCloser
		err error
	}
	arrived := make(chan opened)
	go func() {
		connection, err := s.forward(config, pod)
		select {
		case arrived <- opened{connection, err}:
		case <-ctx.Done():
			if err == nil {
				_ = connection.Close() // nobody waits for it
			}
		}
	}()
	select {
	case connection := <-arrived:
		return connection.ReadWriteCloser, connection.err
	case <-ctx.Done():
		return nil, fmt.Errorf("the API server did not forward a port to pod %s in namespace %s, where the manager leads (%w); see whether it does for kubectl: "+
			"kubectl -n %s port-forward pod/%s %d", pod, s.namespace, ctx.Err(), s.namespace, pod, s.port)
	}
}

// forward opens a connection to a port on a pod's loopback address, through the API server.
func (s planSource) forward(config *rest.Config, pod string) (io.ReadWriteCloser, error) {
	c, err := coreClient(config, corev1.SchemeGroupVersion, "/api")
	if err != nil {
		return nil, err
	}
	target := c.Post().Namespace(s.namespace).Resource("pods").Name(pod).SubResource("portforward").URL()
	refusals := &refusals{}
	dialer, err := forwardDialer(config, target, refusals)
	if err != nil {
		return nil, err
	}
	connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		err = cmp.Or(refusals.forbidden(), err)
		return nil, fmt.Errorf("forwarding a port to pod %s in namespace %s, where the manager leads (you need create on pods/portforward there): %w",
			pod, s.namespace, err)
	}
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(s.port))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	trouble, err := connection.CreateStream(headers)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("forwarding a port to pod %s: %w", pod, err), connection.Close())
	}
	_ = trouble.Close() // nothing is written to it
	said := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(trouble, 4<<10)) // ends with the connection
		said <- strings.TrimSpace(string(text))
	}()
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := connection.CreateStream(headers)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("forwarding a port to pod %s: %w", pod, err), connection.Close())
	}
	return forwarded{data, connection, said}, nil
}

// forwardDialer speaks WebSocket, and SPDY where the API server does not.
func forwardDialer(config *rest.Config, target *url.URL, refused *refusals) (httpstream.Dialer, error) {
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	refused.RoundTripper = transport
	older := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: refused}, http.MethodPost, target)
	newer, err := portforward.NewSPDYOverWebsocketDialerForStreaming(target, config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialerForStreaming(newer, older, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// refusals keeps what the API server refuses with: the dialer makes text of it. Only the last dialer's counts: who may create and not get
// is refused by WebSocket alone, on some versions.
type refusals struct {
	http.RoundTripper
	status metav1.Status
}

// RoundTrip implements http.RoundTripper.
func (r *refusals) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := r.RoundTripper.RoundTrip(request)
	if err != nil || answer.StatusCode != http.StatusForbidden {
		return answer, err
	}
	defer answer.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(text))
	_ = json.Unmarshal(text, &r.status) // a proxy or a kubelet says it in other words, and means somebody else
	return answer, nil
}

// forbidden is an error that apierrors.IsForbidden knows, where the API server says that the person may not; else nil.
func (r *refusals) forbidden() error {
	if r.status.Reason != metav1.StatusReasonForbidden {
		return nil
	}
	return &apierrors.StatusError{ErrStatus: r.status}
}

// forwarded is one stream, the connection that goes with it, and what the pod's node says of trouble.
type forwarded struct {
	httpstream.Stream
	connection httpstream.Connection
	said       <-chan string
}

// Read gives, in place of an end, the reason for it where the node tells one: that nobody listens, for one.
func (f forwarded) Read(p []byte) (int, error) {
	n, err := f.Stream.Read(p)
	if n > 0 || !errors.Is(err, io.EOF) {
		return n, err
	}
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	select {
	case said := <-f.said:
		if said != "" {
			err = errors.New(said)
		}
	case <-patience.C:
	}
	return n, err
}

// Close ends both.
func (f forwarded) Close() error { return errors.Join(f.Stream.Close(), f.connection.Close()) }
