package main

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// The tags by which servers are found again, as docs/install.md has them.
const ownerTag, clusterTag = "slipway.dev/owner", "slipway.dev/cluster"

// ours are the servers of shop/web that live, as the command of docs/install.md finds them: by id, with their tags.
func (r *reader) ours() map[string]map[string]string {
	r.t.Helper()
	filters := regexp.MustCompile(`aws ec2 describe-instances --filters Name=(\S+),Values=(\S+) Name=(\S+),Values=(\S+)`).
		FindStringSubmatch(document(r.t, "install.md"))
	if filters == nil {
		r.t.Fatal("install.md does not ask servers for their former owner")
	}
	out, err := ec2.NewFromConfig(r.aws).DescribeInstances(r.t.Context(), &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{
		{Name: &filters[1], Values: strings.Split(filters[2], ",")}, {Name: &filters[3], Values: strings.Split(filters[4], ",")},
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	all := map[string]map[string]string{}
	for _, reservation := range out.Reservations {
		for _, server := range reservation.Instances {
			tags := map[string]string{}
			for _, tag := range server.Tags {
				tags[*tag.Key] = *tag.Value
			}
			all[*server.InstanceId] = tags
		}
	}
	return all
}

// same fails where servers came or went.
func (r *reader) same(was, is map[string]map[string]string) {
	r.t.Helper()
	if len(was) == 0 || len(was) != len(is) {
		r.t.Errorf("%d servers were there, and %d are", len(was), len(is))
	}
	for id := range was {
		if is[id] == nil {
			r.t.Errorf("server %s is gone", id)
		}
	}
}

// rebuild follows the page about clusters that are lost, from a Release that was deleted and left its servers: once where the cluster
// keeps its name, and once where it gets another.
func (r *reader) rebuild(version string) {
	t := r.t
	t.Helper()
	was := r.ours()
	r.declares(version)
	r.does("kubectl apply -f release.yaml", "kubectl wait rel/web -n shop --for=condition=Stalled --timeout=2m")
	said := r.does(r.inlineAsIs("how-to/rebuild-a-cluster.md", "kubectl slipway get")[0] + " web -n shop")
	r.sees(said, "FormerServersFound")
	line := regexp.MustCompile(`adopt: \{formerOwner: [^}]*\}`).FindString(r.does("kubectl slipway explain web -n shop"))
	r.declares(version, line)
	r.does("kubectl apply -f release.yaml", "kubectl slipway status web -n shop --for=complete --timeout=2m")
	r.same(was, r.ours())
	r.serving(version)

	r.does("kubectl delete rel/web -n shop --timeout=2m")
	var owner string
	lost := "0d5e7c1e-lost"
	for id, tags := range r.ours() {
		owner = tags[ownerTag]
		_, err := ec2.NewFromConfig(r.aws).CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{id},
			Tags: []ec2types.Tag{{Key: aws.String(clusterTag), Value: &lost}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	adopt := fenced(t, "install.md", "yaml")
	adopt = slices.DeleteFunc(adopt, func(block string) bool { return !strings.HasPrefix(block, "adopt: {formerOwner: ") })
	values := strings.NewReplacer("<"+ownerTag+" of the servers>", owner, "<"+clusterTag+" of the servers>", lost)
	r.declares(version, values.Replace(adopt[0]))
	r.does("kubectl apply -f release.yaml", "kubectl slipway status web -n shop --for=complete --timeout=2m")
	r.same(was, r.ours())
	for id, tags := range r.ours() {
		if tags[clusterTag] == lost || tags[ownerTag] == owner {
			t.Errorf("server %s still has the tags of its former owner: %v", id, tags)
		}
	}
	r.serving(version)
}

// chef follows the page about it: a version is deployed with the sample, and an edit of the Secret starts no deploy.
func (r *reader) chef(version string) {
	t := r.t
	t.Helper()
	page := document(t, "how-to/chef.md")
	sample := regexp.MustCompile(`\]\(\.\./\.\./(config/samples/userdata/chef\.sh)\)`).FindStringSubmatch(page)
	if sample == nil {
		t.Fatal("the page about Chef has no sample")
	}
	file, err := filepath.Abs(filepath.Join("..", "..", sample[1]))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r.sees(document(t, "how-to/first-release.md"), strings.Trim(strings.Split(fenced(t, "how-to/chef.md", "yaml")[0], "\n")[1], " "))
	secret := "kubectl create secret generic web-boot -n shop --dry-run=client -o yaml --from-file=script="
	r.does(secret + quote(file) + " | kubectl apply -f -")
	was := r.ours()
	r.does(`kubectl patch rel/web -n shop --type merge -p '{"spec":{"version":"`+version+`"}}'`,
		"kubectl slipway status web -n shop --for=preview --timeout=2m")
	launched := r.ours()
	for id := range was {
		delete(launched, id)
	}
	if len(launched) != 3 {
		t.Errorf("%d servers were launched", len(launched))
	}
	words := strings.NewReplacer("${SLIPWAY_VERSION}", version, "${SLIPWAY_RELEASE}", "shop/web")
	for id, tags := range launched {
		out, err := ec2.NewFromConfig(r.aws).DescribeInstanceAttribute(t.Context(), &ec2.DescribeInstanceAttributeInput{
			InstanceId: aws.String(id), Attribute: ec2types.InstanceAttributeNameUserData})
		if err != nil {
			t.Fatal(err)
		}
		data, err := base64.StdEncoding.DecodeString(*out.UserData.Value)
		if want := strings.ReplaceAll(words.Replace(string(text)), "${SLIPWAY_REVISION}", tags["slipway.dev/revision"]); err != nil || string(data) != want {
			t.Errorf("server %s got (%v):\n%s", id, err, data)
		}
	}
	r.does("kubectl create secret generic web-boot -n shop --from-literal=script=later --dry-run=client -o yaml | kubectl apply -f -")
	explain := regexp.MustCompile("`(kubectl slipway explain web)`").FindStringSubmatch(page)
	r.sees(r.does("kubectl slipway status web -n shop --for=preview --timeout=2m", explain[1]+" -n shop"), version)
	r.does("kubectl slipway promote web -n shop -y --wait")
	r.serving(version)
	for id := range r.ours() {
		if was[id] == nil && launched[id] == nil {
			t.Errorf("an edit of the Secret launched %s", id)
		}
	}
}

// upgrade follows what of the page can be typed where no Deployment is: TestUpgrade of test/install follows the rest.
func (r *reader) upgrade() {
	r.t.Helper()
	page := document(r.t, "how-to/upgrade.md")
	log := regexp.MustCompile("`git log --oneline OLD..NEW -- ([^`]*)`").FindStringSubmatch(page)
	if log == nil {
		r.t.Fatal("the page about upgrades does not say how to read what has changed")
	}
	for folder := range strings.FieldsSeq(log[1]) {
		if _, err := os.Stat(filepath.Join("..", "..", folder)); err != nil {
			r.t.Errorf("git log is to read of %s: %v", folder, err)
		}
	}
	r.sees(r.does(r.inlineAsIs("how-to/upgrade.md", "kubectl slipway version")...), "slipway", "manager", "definitions")
}
