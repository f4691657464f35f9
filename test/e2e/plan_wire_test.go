package e2e

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"slipway.dev/slipway/internal/plan"
)

// wire is what the SDK would send: it takes the request and sends nothing.
type wire struct{ params url.Values }

var errNotSent = errors.New("not sent")

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		w.params, err = url.ParseQuery(string(body))
	}
	return nil, errors.Join(errNotSent, err)
}

// onTheWire is a planned call as the SDK sends it, with the parameters that the plan shows and nothing else.
func (w *World) onTheWire(call plan.Call) url.Values {
	w.Helper()
	line := &wire{}
	cfg := aws.Config{
		Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("A", "B", ""), HTTPClient: &http.Client{Transport: line},
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
	ctx := w.Context()
	var err error
	switch call.Operation {
	case runInstances:
		_, err = ec2.NewFromConfig(cfg).RunInstances(ctx, inputOf[ec2.RunInstancesInput](w, call))
	case createTags:
		_, err = ec2.NewFromConfig(cfg).CreateTags(ctx, inputOf[ec2.CreateTagsInput](w, call))
	case terminateInstances:
		_, err = ec2.NewFromConfig(cfg).TerminateInstances(ctx, inputOf[ec2.TerminateInstancesInput](w, call))
	case registerClassic:
		_, err = elb.NewFromConfig(cfg).RegisterInstancesWithLoadBalancer(ctx, inputOf[elb.RegisterInstancesWithLoadBalancerInput](w, call))
	case deregisterClassic:
		_, err = elb.NewFromConfig(cfg).DeregisterInstancesFromLoadBalancer(ctx, inputOf[elb.DeregisterInstancesFromLoadBalancerInput](w, call))
	case registerTargets:
		_, err = elbv2.NewFromConfig(cfg).RegisterTargets(ctx, inputOf[elbv2.RegisterTargetsInput](w, call))
	case deregisterTargets:
		_, err = elbv2.NewFromConfig(cfg).DeregisterTargets(ctx, inputOf[elbv2.DeregisterTargetsInput](w, call))
	default:
		w.Fatalf("nobody knows %s", call.Operation)
	}
	if !errors.Is(err, errNotSent) || line.params == nil {
		w.Fatalf("%s %v: %v", call.Operation, call.Parameters, err)
	}
	line.params.Del("Action") // the ledger keeps it apart
	line.params.Del("Version")
	return line.params
}

// inputOf reads parameters as the aws command line does with --cli-input-json.
func inputOf[I any](w *World, call plan.Call) *I {
	w.Helper()
	input := new(I)
	text, err := json.Marshal(call.Parameters)
	if err == nil {
		err = json.Unmarshal(text, input)
	}
	w.must("read the parameters of "+call.Operation, err)
	return input
}

// canonical is a request in one line. User data is left out but for its being there; lists have no order, for servers that are launched
// get other names than a plan can know.
func canonical(params url.Values) string {
	root := node{}
	for key, values := range params {
		value := strings.Join(values, ",")
		if key == "UserData" {
			value = "…"
		}
		root.put(strings.Split(key, "."), value)
	}
	return root.String()
}

// node is a parameter: a leaf where it has a value.
type node struct {
	value    string
	children map[string]*node
}

func (n *node) put(path []string, value string) {
	if len(path) == 0 {
		n.value = value
		return
	}
	if n.children == nil {
		n.children = map[string]*node{}
	}
	if n.children[path[0]] == nil {
		n.children[path[0]] = &node{}
	}
	n.children[path[0]].put(path[1:], value)
}

var number = regexp.MustCompile(`^\d+$`)

func (n *node) String() string {
	if n.children == nil {
		return n.value
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(n.children)) {
		if text := n.children[key].String(); number.MatchString(key) {
			parts = append(parts, text)
		} else {
			parts = append(parts, key+"="+text)
		}
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, " ") + "}"
}
