package install

import (
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/config/iam"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/laws"
	"slipway.dev/slipway/internal/localaws"
)

// managerKey is the access key of the manager: it may do what config/iam allows.
const managerKey = "AKIAMANAGER"

// newAWS is an account with what the samples name, ten times as fast as AWS, in which the manager has the policy of config/iam.
func (c *cluster) newAWS() *localaws.Cloud {
	c.t.Helper()
	knobs := localaws.DefaultKnobs()
	knobs.Balancers.ClassicRegistration.Max = knobs.Balancers.ClassicRegistration.Min
	clock := localaws.ScaledClock(10)
	account := localaws.New(localaws.Options{Knobs: knobs, Clock: clock})
	c.t.Cleanup(account.Close)
	laws.Hold(c.t, laws.Options{
		AWS: account, Kube: c.admin, Now: clock.Now, Lately: 30 * time.Second, // three of ours
		Judged: func(who localaws.Caller) bool { return who.AccessKey == managerKey },
	})
	var system corev1.Namespace
	c.Expect(c.admin.Get(c.t.Context(), client.ObjectKey{Name: "kube-system"}, &system)).To(Succeed())
	name, site := string(system.UID), account.DefaultWorld()
	person := elb.New(elb.Options{
		Region: account.Region(), Credentials: credentials.NewStaticCredentialsProvider("AKIAPERSON", "secret", ""),
		HTTPClient: &http.Client{Transport: account.Transport()}, BaseEndpoint: aws.String("http://aws.local"),
	})
	for _, pool := range []string{"test-classic", "prod-classic"} {
		_, err := person.CreateLoadBalancer(c.t.Context(), &elb.CreateLoadBalancerInput{
			LoadBalancerName: &pool, Subnets: site.Subnets[:2], SecurityGroups: []string{site.SecurityGroup},
			Listeners: []elbtypes.Listener{{
				Protocol: aws.String("HTTP"), LoadBalancerPort: 80, InstanceProtocol: aws.String("HTTP"), InstancePort: aws.Int32(80),
			}},
			Tags: []elbtypes.Tag{{Key: aws.String(cloud.TagCluster), Value: &name}},
		})
		c.Expect(err).NotTo(HaveOccurred())
		_, err = person.ConfigureHealthCheck(c.t.Context(), &elb.ConfigureHealthCheckInput{LoadBalancerName: &pool, HealthCheck: &elbtypes.HealthCheck{
			Target: aws.String("HTTP:80/healthz"), Interval: aws.Int32(5), Timeout: aws.Int32(2), HealthyThreshold: aws.Int32(2), UnhealthyThreshold: aws.Int32(2),
		}})
		c.Expect(err).NotTo(HaveOccurred())
	}
	policy, err := iam.Policy(iam.Installation{
		Account: "123456789012", Region: account.Region(), Cluster: name, ServerRoles: []string{"web"}, Parameters: []string{"/images/*"},
	})
	c.Expect(err).NotTo(HaveOccurred())
	_, err = account.AttachPolicy(managerKey, string(policy))
	c.Expect(err).NotTo(HaveOccurred())
	return account
}
