package localaws

import (
	"maps"
	"slices"
	"strings"
)

// iamRequests are what IAM is asked for a call before its operation runs: its own action for each resource that it names, in
// the ARNs of AWS's service authorization reference, and what it implies. Describe calls are about everything. A launch is
// asked about later, when what it needs is known (launchRequests), and GetCallerIdentity needs no permission.
func (c *Cloud) iamRequests(q *call, op *operation) []iamRequest {
	action := q.service.iam + ":" + q.action
	switch {
	case q.action == "GetCallerIdentity":
		return nil
	case q.service.name == "ssm":
		return q.parameterRequests(action)
	case q.service.name == "sts":
		return c.roleRequests(q)
	case q.service.name == "cloudwatch":
		return q.alarmRequests(action)
	case q.service.name == "sqs":
		return q.queueRequests(action)
	case !op.mutates && q.action != "DescribeInstanceAttribute":
		return []iamRequest{{action: action, resource: "*"}}
	case q.service.name == "elb":
		return q.classicRequests(action)
	case q.service.name == "elbv2":
		return q.elbv2Requests(action)
	}
	return q.ec2Requests(action)
}

// arnKinds are the types in ARNs of EC2, by the prefix of ids.
var arnKinds = map[string]string{"i": "instance", "ami": "image", "subnet": "subnet", "vpc": "vpc", "sg": "security-group", "snap": "snapshot",
	"vol": "volume", "eni": "network-interface", "key": "key-pair", "lt": "launch-template", "fleet": "fleet"}

// ec2ARN is that of a resource. Images and snapshots are of no account.
func (r *realm) ec2ARN(kind, id string) string {
	account := r.account
	if kind == "image" || kind == "snapshot" {
		account = ""
	}
	return "arn:aws:ec2:" + r.region + ":" + account + ":" + kind + "/" + id
}

// makes are the kinds of what calls make, beside what they name.
var makes = map[string][]string{"CreateImage": {"image", "snapshot"}, "CreateLaunchTemplate": {"launch-template"}, "CreateFleet": {"fleet"}}

// ec2Requests are about every id that a call names, and about what it makes.
func (q *call) ec2Requests(action string) []iamRequest {
	if q.action == "RunInstances" {
		if q.realm.c.deniesAction(action) {
			return []iamRequest{{action: action, resource: "*"}}
		}
		return nil
	}
	tags := requestTagKeys(tagsIn(q.structs("Tag")))
	var out []iamRequest
	ids := q.namedIDs()
	if name := q.str("LaunchTemplateName"); name != "" && q.realm.templateNamed(name) != nil {
		ids = append(ids, q.realm.templateNamed(name).id)
	}
	for _, id := range ids {
		prefix, _, _ := strings.Cut(id, "-")
		keys := withKeys(q.realm.ec2Keys(id), tags)
		out = append(out, iamRequest{action, q.realm.ec2ARN(arnKinds[prefix], id), keys})
	}
	for _, kind := range makes[q.action] {
		of := q.specified(kind)
		out = append(out, iamRequest{action, q.realm.ec2ARN(kind, "*"), requestTagKeys(of)})
		if len(of) > 0 {
			out = append(out, q.tagAtCreation(kind, of))
		}
	}
	if out == nil {
		out = append(out, iamRequest{action: action, resource: "*", keys: tags})
	}
	return out
}

// tagAtCreation is the permission to tag what a call makes.
func (q *call) tagAtCreation(kind string, tags map[string]string) iamRequest {
	return iamRequest{"ec2:CreateTags", q.realm.ec2ARN(kind, "*"),
		withKeys(requestTagKeys(tags), map[string][]string{"ec2:createaction": {q.action}})}
}

// specified are the tags for one kind of what a call makes.
func (q *call) specified(kind string) map[string]string {
	for _, spec := range q.structs("TagSpecification") {
		if spec.str("ResourceType") == kind {
			return tagsIn(spec.structs("Tag"))
		}
	}
	return nil
}

// tagsIn reads tags without judging them.
func tagsIn(list []*params) map[string]string {
	tags := map[string]string{}
	for _, t := range list {
		tags[t.str("Key")] = t.str("Value")
	}
	return tags
}

// namedIDs are the ids of EC2 resources among the parameters, each once.
func (q *call) namedIDs() []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(q.form)) {
		value := q.form[key][0]
		prefix, _, isID := strings.Cut(value, "-")
		if isID && arnKinds[prefix] != "" && namesResource(key) && !strings.HasPrefix(key, "Filter.") {
			out = append(out, value)
		}
	}
	return distinct(out)
}

// ec2Keys are the condition keys of what is there.
func (r *realm) ec2Keys(id string) map[string][]string {
	keys := map[string][]string{}
	if t := r.tagged[id]; t != nil {
		keys = resourceTagKeys("ec2", t.tags)
		keys["aws:resourceaccount"] = []string{r.account}
	}
	if in := r.instances[id]; in != nil {
		keys["ec2:instancetype"], keys["ec2:availabilityzone"] = []string{in.instanceType}, []string{in.az}
		keys["ec2:instanceid"], keys["ec2:tenancy"] = []string{id}, []string{in.tenancy}
		keys["ec2:metadatahttptokens"], keys["ec2:metadatahttpendpoint"] = []string{in.metadata.Tokens}, []string{in.metadata.Endpoint}
		if in.profile != nil {
			keys["ec2:instanceprofile"] = []string{in.profile.arn}
		}
	}
	if i := r.images[id]; i != nil {
		keys["ec2:imageid"], keys["ec2:owner"] = []string{id}, []string{i.owner}
	}
	if s := r.subnets[id]; s != nil {
		keys["ec2:vpc"], keys["ec2:availabilityzone"] = []string{r.ec2ARN("vpc", s.vpcID)}, []string{s.az}
	}
	if g := r.groups[id]; g != nil {
		keys["ec2:vpc"] = []string{r.ec2ARN("vpc", g.vpcID)}
	}
	keys["ec2:region"] = []string{r.region}
	return keys
}

// classicRequests are about the load balancers that a call names.
func (q *call) classicRequests(action string) []iamRequest {
	tags := requestTagKeys(tagsIn(q.structs("Tags")))
	if q.action == "RemoveTags" {
		tags = map[string][]string{"aws:tagkeys": q.members("Tags", "Key")}
	}
	var out []iamRequest
	for _, name := range append(q.list("LoadBalancerNames"), q.list("LoadBalancerName")...) {
		out = append(out, q.classicRequest(action, name, tags))
	}
	if name := q.str("LoadBalancerName"); name != "" {
		out = append(out, q.classicRequest(action, name, tags))
	}
	return append(out, q.tagBalancer(out, tags)...)
}

func (q *call) classicRequest(action, name string, tags map[string][]string) iamRequest {
	keys := map[string][]string{}
	if lb := q.realm.balancers.classic[name]; lb != nil {
		keys = resourceTagKeys("elasticloadbalancing", lb.tags)
		keys["aws:resourceaccount"] = []string{q.realm.account}
	}
	return iamRequest{action, q.realm.arn("elasticloadbalancing", "loadbalancer/"+name), withKeys(keys, tags)}
}

// tagBalancer is the permission to tag what a call of either ELB API makes.
func (q *call) tagBalancer(made []iamRequest, tags map[string][]string) (out []iamRequest) {
	if !strings.HasPrefix(q.action, "Create") || len(tags) == 0 {
		return nil
	}
	for _, r := range made {
		keys := withKeys(maps.Clone(tags), map[string][]string{"elasticloadbalancing:createaction": {q.action}})
		out = append(out, iamRequest{"elasticloadbalancing:AddTags", r.resource, keys})
	}
	return out
}

// elbv2Requests are about the ARNs that a call names, or the name of what it makes.
func (q *call) elbv2Requests(action string) []iamRequest {
	tags := requestTagKeys(tagsIn(q.structs("Tags")))
	if q.action == "RemoveTags" {
		tags = map[string][]string{"aws:tagkeys": q.list("TagKeys")}
	}
	var out []iamRequest
	for _, arn := range q.v2Resources() {
		keys := resourceTagKeys("elasticloadbalancing", q.realm.balancers.tagsOf(arn))
		keys["aws:resourceaccount"] = []string{q.realm.account}
		out = append(out, iamRequest{action, arn, withKeys(keys, tags)})
	}
	return append(out, q.tagBalancer(out, tags)...)
}

func (q *call) v2Resources() []string {
	switch q.action {
	case "CreateTargetGroup":
		return []string{q.realm.arn("elasticloadbalancing", "targetgroup/"+q.str("Name")+"/*")}
	case "CreateLoadBalancer":
		flavour := "app"
		if q.str("Type") == string(network) {
			flavour = "net"
		}
		return []string{q.realm.arn("elasticloadbalancing", "loadbalancer/"+flavour+"/"+q.str("Name")+"/*")}
	}
	arns := append(q.list("ResourceArns"), q.members("RulePriorities", "RuleArn")...)
	for _, name := range []string{"LoadBalancerArn", "TargetGroupArn", "ListenerArn", "RuleArn"} {
		if arn := q.str(name); arn != "" {
			arns = append(arns, arn)
		}
	}
	return distinct(arns)
}

// tagsOf are those of anything that has an ARN.
func (b *balancers) tagsOf(arn string) map[string]string {
	switch {
	case b.v2[arn] != nil:
		return b.v2[arn].tags
	case b.groups[arn] != nil:
		return b.groups[arn].tags
	case b.listeners[arn] != nil:
		return b.listeners[arn].tags
	case b.rules[arn] != nil:
		return b.rules[arn].tags
	}
	return nil
}

// parameterRequests are about the parameters that a call of SSM names; in ARNs the first slash of a name is left out.
func (q *call) parameterRequests(action string) []iamRequest {
	names := append(q.list("Names"), q.list("Name")...)
	for _, name := range []string{q.str("Name"), q.str("Path")} {
		if name != "" {
			names = append(names, name)
		}
	}
	var out []iamRequest
	for _, name := range names {
		if !strings.HasPrefix(name, "arn:") {
			name, _, _ = strings.Cut(name, ":") // a version or a label
			name = q.realm.parameterARN(name)
		}
		out = append(out, iamRequest{action: action, resource: name})
	}
	if out == nil {
		out = append(out, iamRequest{action: action, resource: "*"})
	}
	return out
}

// alarmRequests are about the alarms that a call of CloudWatch names.
func (q *call) alarmRequests(action string) []iamRequest {
	names := q.list("AlarmNames")
	if name := q.str("AlarmName"); name != "" {
		names = append(names, name)
	}
	if len(names) == 0 {
		names = []string{"*"}
	}
	out := make([]iamRequest, len(names))
	for i, name := range names {
		out[i] = iamRequest{action: action, resource: q.realm.arn("cloudwatch", "alarm:"+name)}
	}
	return out
}

// queueRequests are about the queue that a call of SQS names, by its URL or its name.
func (q *call) queueRequests(action string) []iamRequest {
	name := q.str("QueueName")
	if url := q.str("QueueUrl"); url != "" {
		name = url[strings.LastIndex(url, "/")+1:]
	}
	if name == "" {
		return []iamRequest{{action: action, resource: "*"}}
	}
	return []iamRequest{{action: action, resource: q.realm.arn("sqs", name)}}
}
