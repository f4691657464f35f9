//go:build bench

package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/test/e2e"
)

// original is a Release at rest, with all that a manager left behind in Kubernetes and in AWS. A copy has names and ids of its own, in
// every place where the original has its own, and rests like it: a manager that starts changes nothing.
type original struct {
	release  v1alpha1.Release
	records  []appsv1.ControllerRevision
	launches []launch
}

// launch are the servers of one call of RunInstances, sorted.
type launch struct {
	token   string
	servers []ec2types.Instance
}

// read reads a Release at rest.
func read(w *e2e.World, name string) *original {
	w.Helper()
	o, ctx := &original{}, w.Context()
	var records appsv1.ControllerRevisionList
	described, err := w.Person().EC2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{
		{Name: aws.String("tag:" + cloud.TagRelease), Values: []string{w.Namespace + "/" + name}},
	}})
	must(w, err)
	must(w, w.Kube.Get(ctx, types.NamespacedName{Namespace: w.Namespace, Name: name}, &o.release))
	must(w, w.Kube.List(ctx, &records, client.InNamespace(w.Namespace)))
	o.records = records.Items
	for _, reservation := range described.Reservations {
		slices.SortFunc(reservation.Instances, func(a, b ec2types.Instance) int { return cmp.Compare(*a.InstanceId, *b.InstanceId) })
		o.launches = append(o.launches, launch{*reservation.Instances[0].ClientToken, reservation.Instances})
	}
	return o
}

// copyAs makes a copy, whose servers are to be registered with the load balancer of its name once they run.
func (o *original) copyAs(w *e2e.World, name string) (servers []string) {
	w.Helper()
	ctx := w.Context()
	w.MakeClassic(name, true)
	own := []string{o.release.Name, name} // texts of the original, each followed by the copy's
	var created v1alpha1.Release
	must(w, recast(o.release, own, &created))
	created.ObjectMeta = metav1.ObjectMeta{Namespace: w.Namespace, Name: name, Finalizers: o.release.Finalizers}
	w.Create(&created)
	own = append(own, string(o.release.UID), string(created.UID))
	for i, l := range o.launches {
		token := fmt.Sprintf("%s-launch-%d", name, i)
		own = append(own, l.token, token)
		for k, id := range o.launch(w, l, token, own) {
			own = append(own, *l.servers[k].InstanceId, id)
			servers = append(servers, id)
		}
	}
	var settled v1alpha1.Release
	must(w, recast(o.release, own, &settled))
	settled.ObjectMeta = created.ObjectMeta
	sortServers(&settled.Status, servers)
	for _, stored := range o.records {
		var record appsv1.ControllerRevision
		must(w, recast(stored, own, &record))
		record.UID, record.ResourceVersion, record.ManagedFields = "", "", nil
		w.Create(&record)
		for i := range settled.Status.History {
			if entry := &settled.Status.History[i]; string(entry.Revision) == record.Name {
				entry.Created = &record.CreationTimestamp // the API server's, as in the records
			}
		}
	}
	must(w, w.Kube.Status().Update(ctx, &settled))
	return servers
}

// enlist registers servers with a classic load balancer.
func enlist(w *e2e.World, balancer string, servers []string) {
	w.Helper()
	members := make([]elbtypes.Instance, 0, len(servers))
	for _, id := range servers {
		members = append(members, elbtypes.Instance{InstanceId: &id})
	}
	_, err := w.Person().ELB.RegisterInstancesWithLoadBalancer(w.Context(), &elb.RegisterInstancesWithLoadBalancerInput{
		LoadBalancerName: &balancer, Instances: members,
	})
	must(w, err)
}

// launch launches the copy of a launch, and gives the ids of its servers, sorted.
func (o *original) launch(w *e2e.World, from launch, token string, own []string) []string {
	w.Helper()
	like, n := from.servers[0], int32(len(from.servers))
	var tags []ec2types.Tag
	must(w, recast(like.Tags, own, &tags))
	groups := make([]string, 0, len(like.SecurityGroups))
	for _, group := range like.SecurityGroups {
		groups = append(groups, *group.GroupId)
	}
	run, err := w.Person().EC2.RunInstances(w.Context(), &ec2.RunInstancesInput{
		ImageId: like.ImageId, InstanceType: like.InstanceType, SubnetId: like.SubnetId, SecurityGroupIds: groups,
		MinCount: &n, MaxCount: &n, ClientToken: &token,
		TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeInstance, Tags: tags}},
	})
	must(w, err)
	ids := make([]string, 0, n)
	for _, server := range run.Instances {
		ids = append(ids, *server.InstanceId)
	}
	slices.Sort(ids)
	return ids
}

// recast puts the copy's texts in the place of the original's.
func recast(from any, own []string, to any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(strings.NewReplacer(own...).Replace(string(text))), to)
}

// sortServers lists the servers of the one fleet that there is where status shows them: in order, and of many the first.
func sortServers(status *v1alpha1.ReleaseStatus, servers []string) {
	slices.Sort(servers)
	show := func(list []v1alpha1.StatusName) {
		for i := range list {
			list[i] = v1alpha1.StatusName(servers[i])
		}
	}
	if status.Stable != nil {
		show(status.Stable.ServerIDs)
	}
	for i := range status.Pools {
		for k := range status.Pools[i].Fleets {
			show(status.Pools[i].Fleets[k].ServerIDs)
		}
	}
}

func must(w *e2e.World, err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("%v", err)
	}
}
