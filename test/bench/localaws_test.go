//go:build bench

package bench

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/test/figures"
)

// localAWS is out/localaws.json.
type localAWS struct {
	figures.Provenance

	DescribeAll struct {
		Instances int     `json:"instances"`
		Pages     int     `json:"pages"`
		Seconds   float64 `json:"seconds"`
	} `json:"describe_instances_in_pages"`
	DescribeTargets struct {
		Balancers int     `json:"load_balancers"`
		Groups    int     `json:"groups"`
		Targets   int     `json:"targets_each"`
		Seconds   float64 `json:"seconds_for_all"`
	} `json:"describe_target_health"`
	// CallsPerSecond are those of an unmodified SDK in the same process; beside each, what the SDK alone does with the same answer,
	// and what the local AWS alone does.
	CallsPerSecond map[string]rates   `json:"calls_per_second"`
	WholeDeploys   deployed           `json:"whole_deploys"`
	DataPlane      map[string]traffic `json:"data_plane"`
}

// TestLocalAWS measures the local AWS: `make bench-localaws`.
func TestLocalAWS(t *testing.T) {
	var r localAWS
	r.Provenance = measured(t)
	r.CallsPerSecond = map[string]rates{}
	t.Run("pages of instances", func(t *testing.T) { measurePages(t, &r) })
	t.Run("page of instances", func(t *testing.T) { measurePage(t, &r) })
	t.Run("targets", func(t *testing.T) { measureTargets(t, &r) })
	t.Run("launches", func(t *testing.T) { measureLaunches(t, &r) })
	t.Run("deploys", func(t *testing.T) { r.WholeDeploys = measureDeploys(t) })
	t.Run("data plane", func(t *testing.T) { r.DataPlane = measureTraffic(t) })
	write(t, "localaws.json", r)
}

// account is a cloud with the clients of an unmodified SDK in the same process.
type account struct {
	*localaws.Cloud
	clock *localaws.VirtualClock
	site  localaws.Site
	tape  *tape
	ec2   *ec2.Client
	elbv2 *elbv2.Client
}

func newAccount() *account {
	clock := localaws.NewVirtualClock(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	knobs := localaws.DefaultKnobs()
	knobs.Throttle = false // it is the machine that is measured
	cloud := localaws.New(localaws.Options{Clock: clock, Seed: 1, Knobs: knobs})
	between := &tape{aws: cloud.Transport()}
	config := aws.Config{
		Region: cloud.Region(), Credentials: credentials.NewStaticCredentialsProvider("AKIABENCH", "secret", ""),
		HTTPClient: &http.Client{Transport: between}, BaseEndpoint: aws.String("http://aws.local"),
	}
	a := &account{Cloud: cloud, clock: clock, site: cloud.DefaultWorld(), tape: between}
	a.connect(config)
	return a
}

func (a *account) connect(config aws.Config) {
	a.ec2, a.elbv2 = ec2.NewFromConfig(config), elbv2.NewFromConfig(config)
}

func (a *account) launch(t *testing.T, subnet string, n int32) []string {
	t.Helper()
	out, err := a.ec2.RunInstances(t.Context(), &ec2.RunInstancesInput{
		ImageId: &a.site.V1, InstanceType: ec2types.InstanceTypeT3Micro, MinCount: &n, MaxCount: &n, SubnetId: &subnet,
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(out.Instances))
	for i := range out.Instances {
		ids[i] = *out.Instances[i].InstanceId
	}
	return ids
}

const (
	instances = 10000
	pageSize  = 1000
)

// fleet launches so many servers and lets them boot.
func (a *account) fleet(t *testing.T, n int) []string {
	t.Helper()
	subnet := a.SeedSubnet(localaws.Subnet{CIDR: "10.64.0.0/10"})
	var ids []string
	for len(ids) < n {
		ids = append(ids, a.launch(t, subnet, pageSize)...)
	}
	a.clock.Advance(time.Minute)
	return ids
}

func measurePages(t *testing.T, r *localAWS) {
	a := newAccount()
	defer a.Close()
	a.fleet(t, instances)
	began := time.Now()
	pages := ec2.NewDescribeInstancesPaginator(a.ec2, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(pageSize)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.DescribeAll.Pages++
		r.DescribeAll.Instances += countInstances(page)
	}
	r.DescribeAll.Seconds = time.Since(began).Seconds()
	if r.DescribeAll.Instances != instances {
		t.Fatalf("%d instances were described, of %d", r.DescribeAll.Instances, instances)
	}
	r.CallsPerSecond["DescribeInstances, a page of 1000 among 10000"] = a.pageRates(t)
}

// measurePage is how often the one page of an account with no more than it holds is served.
func measurePage(t *testing.T, r *localAWS) {
	a := newAccount()
	defer a.Close()
	a.fleet(t, pageSize)
	r.CallsPerSecond["DescribeInstances, one page of all 1000"] = a.pageRates(t)
}

// pageRates measures a full page.
func (a *account) pageRates(t *testing.T) rates {
	t.Helper()
	return a.rates(t, func() error {
		page, err := a.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{MaxResults: aws.Int32(pageSize)})
		if err == nil && countInstances(page) != pageSize {
			err = fmt.Errorf("a page has %d instances, not %d", countInstances(page), pageSize)
		}
		return err
	})
}

func countInstances(page *ec2.DescribeInstancesOutput) int {
	n := 0
	for _, reservation := range page.Reservations {
		n += len(reservation.Instances)
	}
	return n
}

func measureLaunches(t *testing.T, r *localAWS) {
	a := newAccount()
	defer a.Close()
	wide := a.SeedSubnet(localaws.Subnet{CIDR: "10.64.0.0/10"})
	r.CallsPerSecond["RunInstances, 1 instance"] = rates{Together: perSecond(t, func() error {
		a.launch(t, wide, 1)
		return nil
	})}
}
