package safety

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/test/e2e"
)

// field is a leaf of a spec: "template.tags{}" is a value of a map, "template.subnetIDs[]" an element of a list.
type field struct {
	path   string
	schema apiextensionsv1.JSONSchemaProps
}

// fieldsOf are the leaves of the spec that a CustomResourceDefinition defines, in order.
func fieldsOf(file string) ([]field, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return nil, err
	}
	var all []field
	leaves("", crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"], func(f field) { all = append(all, f) })
	slices.SortFunc(all, func(a, b field) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

func leaves(path string, s apiextensionsv1.JSONSchemaProps, found func(field)) {
	switch {
	case len(s.Properties) > 0:
		for name, property := range s.Properties {
			leaves(strings.TrimPrefix(path+"."+name, "."), property, found)
		}
	case s.AdditionalProperties != nil:
		leaves(path+"{}", *s.AdditionalProperties.Schema, found)
	case s.Items != nil:
		leaves(path+"[]", *s.Items.Schema, found)
	default:
		found(field{path, s})
	}
}

// values are what the schema itself says that a field can be: the members of an enum, the bounds of a number, yes and no.
func (f field) values() (all []any) {
	for _, member := range f.schema.Enum {
		var value any
		if json.Unmarshal(member.Raw, &value) == nil {
			all = append(all, value)
		}
	}
	for _, bound := range []*float64{f.schema.Minimum, f.schema.Maximum} {
		if bound != nil {
			all = append(all, *bound)
		}
	}
	if f.schema.Type == "boolean" {
		all = append(all, true, false)
	}
	return all
}

// set puts a value into a spec, where the path leads: through the first element of each list.
func (f field) set(spec map[string]any, value any) {
	at, steps := spec, strings.Split(f.path, ".")
	for _, step := range steps[:len(steps)-1] {
		name, inList := strings.CutSuffix(step, "[]")
		if inList {
			at = at[name].([]any)[0].(map[string]any)
			continue
		}
		if at[name] == nil {
			at[name] = map[string]any{}
		}
		at = at[name].(map[string]any)
	}
	at[steps[len(steps)-1]] = value
}

// with gives a spec with a value in the place of the field.
func with[S any](spec S, f field, value any) (changed S, err error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return changed, err
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		return changed, err
	}
	f.set(tree, value)
	if text, err = json.Marshal(tree); err != nil {
		return changed, err
	}
	return changed, json.Unmarshal(text, &changed)
}

// revised: a field that makes another revision, which an edit puts into Preview.
func (f field) revised() bool {
	return f.path == "version" || strings.HasPrefix(f.path, "image.") || strings.HasPrefix(f.path, "template.")
}

// ground is what has to be there for a field to have a value at all.
func (f field) ground(spec *v1alpha1.ReleaseSpec, w *e2e.World) {
	switch {
	case strings.HasPrefix(f.path, "override."):
		spec.Override = &v1alpha1.PhaseOverride{
			Revision: w.Stable(w.Release("web")), Phase: v1alpha1.PhaseLive, ExpiresAt: metav1.NewTime(w.Clock.Now().Add(time.Hour).Truncate(time.Second)),
		}
	case strings.HasPrefix(f.path, "template.blockDeviceMappings"):
		spec.Template.BlockDeviceMappings = []v1alpha1.BlockDeviceMapping{{
			DeviceName: "/dev/xvda", EBS: v1alpha1.EBSVolume{VolumeSizeGiB: 20, VolumeType: "gp3"},
		}}
	}
	if f.revised() {
		spec.Phase, spec.PhaseFor = v1alpha1.PhasePreview, ""
	}
}

// changes are the other values of fields of a Release that the schema does not say: what exists in a world, and what does not.
var changes = map[string][]func(w *e2e.World, spec *v1alpha1.ReleaseSpec){
	"adopt.formerCluster": {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) {
		s.Adopt = &v1alpha1.AdoptSource{FormerOwner: nobody, FormerCluster: "another"}
	}},
	"adopt.formerOwner": {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) { s.Adopt = &v1alpha1.AdoptSource{FormerOwner: nobody} }},
	"adopt.tags{}": {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) {
		s.Adopt = &v1alpha1.AdoptSource{Tags: map[string]v1alpha1.TagValue{"role": "hot"}}
	}},
	"className":            {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) { s.ClassName = "another" }},
	"health.launchTimeout": durations(func(s *v1alpha1.ReleaseSpec) *metav1.Duration { return &s.Health.LaunchTimeout }, time.Second, 6*time.Hour),
	"health.rollbackTimeout": durations(func(s *v1alpha1.ReleaseSpec) *metav1.Duration { return &s.Health.RollbackTimeout },
		time.Second, time.Hour),
	"health.timeout": durations(func(s *v1alpha1.ReleaseSpec) *metav1.Duration { return &s.Health.Timeout }, time.Second, 6*time.Hour),
	"retention.completeAfter": durations(func(s *v1alpha1.ReleaseSpec) *metav1.Duration { return &s.Retention.CompleteAfter },
		time.Second, 2160*time.Hour),
	"image.id": {func(w *e2e.World, s *v1alpha1.ReleaseSpec) { s.Image.ID = v1alpha1.ImageID(w.Site.V2) },
		func(_ *e2e.World, s *v1alpha1.ReleaseSpec) { s.Image.ID = "ami-00000000" }},
	"image.selector.name":     selectors(v1alpha1.ImageSelector{Owners: self, Name: "web-v2"}, v1alpha1.ImageSelector{Owners: self, Name: noneName}),
	"image.selector.owners[]": selectors(v1alpha1.ImageSelector{Owners: self}),
	"image.selector.tags{}":   selectors(v1alpha1.ImageSelector{Owners: self, Tags: map[string]v1alpha1.TagValue{"channel": noneName}}),
	"image.ssmParameter": {func(w *e2e.World, s *v1alpha1.ReleaseSpec) {
		imageFromSSM(w)
		s.Image = v1alpha1.ImageSource{SSMParameter: parameter}
	}, func(_ *e2e.World, s *v1alpha1.ReleaseSpec) {
		s.Image = v1alpha1.ImageSource{SSMParameter: "/images/none"}
	}},
	"loadBalancers.production[].classic.name":     pools(edgePool, e2e.Classic(edgePool, "other"), e2e.Classic(edgePool, noneName)),
	"loadBalancers.production[].name":             pools(edgePool, e2e.Classic("front", edgePool)),
	"loadBalancers.production[].targetGroup.name": pools("api", e2e.Group("api", "others"), e2e.Group("api", noneName)),
	"loadBalancers.production[].targetGroup.arn":  {arns},
	"loadBalancers.test[].classic.name":           pools(testPool, e2e.Classic(testPool, "other"), e2e.Classic(testPool, noneName)),
	"loadBalancers.test[].name":                   pools(testPool, e2e.Classic("look", testPool)),
	"loadBalancers.test[].targetGroup.name":       pools(testPool, e2e.Group(testPool, "others")),
	"loadBalancers.test[].targetGroup.arn": {func(w *e2e.World, s *v1alpha1.ReleaseSpec) {
		makeOthers(w)
		s.LoadBalancers.Test[0] = v1alpha1.Pool{Name: testPool, TargetGroup: &v1alpha1.TargetGroup{ARN: w.GroupARN("others")}}
	}},
	"override.by":       {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) { s.Override.By = "ops" }},
	"override.reason":   {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) { s.Override.Reason = "so" }},
	"override.revision": {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) { s.Override.Revision = "web-none" }},
	"override.expiresAt": {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) {
		s.Override.ExpiresAt = metav1.NewTime(s.Override.ExpiresAt.Add(30 * 24 * time.Hour))
	}},
	"phaseFor": {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) { s.PhaseFor = "v0" }, func(_ *e2e.World, s *v1alpha1.ReleaseSpec) { s.PhaseFor = "" }},
	"template.blockDeviceMappings[].deviceName": {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) {
		s.Template.BlockDeviceMappings[0].DeviceName = "/dev/sdb"
	}},
	"template.blockDeviceMappings[].ebs.kmsKeyID": {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) {
		s.Template.BlockDeviceMappings[0].EBS.KMSKeyID = "alias/none"
	}},
	"template.blockDeviceMappings[].ebs.snapshotID": {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) {
		s.Template.BlockDeviceMappings[0].EBS.SnapshotID = "snap-00000000"
	}},
	"template.iamInstanceProfile": {func(w *e2e.World, s *v1alpha1.ReleaseSpec) { s.Template.IAMInstanceProfile = w.Site.Profile },
		func(_ *e2e.World, s *v1alpha1.ReleaseSpec) { s.Template.IAMInstanceProfile = noneName }},
	"template.instanceTypes[]": {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) {
		s.Template.InstanceTypes = []v1alpha1.InstanceType{"t3.small"}
	},
		func(_ *e2e.World, s *v1alpha1.ReleaseSpec) {
			s.Template.InstanceTypes = []v1alpha1.InstanceType{"x0.none"}
		}},
	"template.keyName": {func(w *e2e.World, s *v1alpha1.ReleaseSpec) { s.Template.KeyName = w.Site.KeyPair },
		func(_ *e2e.World, s *v1alpha1.ReleaseSpec) { s.Template.KeyName = noneName }},
	"template.securityGroupIDs[]": {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) { s.Template.SecurityGroupIDs = nil },
		func(_ *e2e.World, s *v1alpha1.ReleaseSpec) {
			s.Template.SecurityGroupIDs = []v1alpha1.SecurityGroupID{"sg-00000000"}
		}},
	"template.subnetIDs[]": {func(w *e2e.World, s *v1alpha1.ReleaseSpec) {
		s.Template.SubnetIDs = []v1alpha1.SubnetID{v1alpha1.SubnetID(w.Site.Subnets[2])}
	}, func(_ *e2e.World, s *v1alpha1.ReleaseSpec) {
		s.Template.SubnetIDs = []v1alpha1.SubnetID{"subnet-00000000"}
	}},
	"template.tags{}": {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) {
		s.Template.Tags = map[string]v1alpha1.TagValue{"team": "shop"}
	}},
	"template.userData.inline":            {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) { s.Template.UserData = e2e.Script("configure=1s") }},
	"template.userData.secretRef.key":     {fromSecret("other")},
	"template.userData.secretRef.name":    {fromSecret("script")},
	"template.userData.configMapRef.key":  {fromConfigMap("other")},
	"template.userData.configMapRef.name": {fromConfigMap("script")},
	"version":                             {func(_ *e2e.World, s *v1alpha1.ReleaseSpec) { s.Version = "v2" }},
}

// fixed are the fields that nobody may edit, and why.
var fixed = map[string]string{
	"release/className": "the servers run in the account of the class",
	"class/accountID":   "servers of Releases may run there",
	"class/region":      "servers of Releases may run there",
}

// nobody owns anything.
const nobody = "8a6c1d5e-52f0-4a53-8a6b-0d8f4a4f9a11"

var self = []v1alpha1.ImageOwner{"self"}

type change = func(w *e2e.World, spec *v1alpha1.ReleaseSpec)

func durations(of func(*v1alpha1.ReleaseSpec) *metav1.Duration, values ...time.Duration) (all []change) {
	for _, d := range values {
		all = append(all, func(_ *e2e.World, spec *v1alpha1.ReleaseSpec) { of(spec).Duration = d })
	}
	return all
}

func selectors(values ...v1alpha1.ImageSelector) (all []change) {
	for _, s := range values {
		all = append(all, func(_ *e2e.World, spec *v1alpha1.ReleaseSpec) { spec.Image = v1alpha1.ImageSource{Selector: &s} })
	}
	return all
}

// pools put another pool into the place of one.
func pools(name string, others ...v1alpha1.Pool) (all []change) {
	for _, other := range others {
		all = append(all, func(w *e2e.World, spec *v1alpha1.ReleaseSpec) {
			makeOthers(w)
			for _, list := range [][]v1alpha1.Pool{spec.LoadBalancers.Production, spec.LoadBalancers.Test} {
				for i := range list {
					if list[i].Name == name {
						list[i] = other
					}
				}
			}
		})
	}
	return all
}

// arns names the target group by its ARN instead of its name.
func arns(w *e2e.World, spec *v1alpha1.ReleaseSpec) {
	spec.LoadBalancers.Production[1].TargetGroup = &v1alpha1.TargetGroup{ARN: w.GroupARN("api")}
}

func fromSecret(key string) change {
	return func(_ *e2e.World, spec *v1alpha1.ReleaseSpec) {
		spec.Template.UserData = &v1alpha1.UserData{SecretRef: &v1alpha1.KeyReference{Name: "web", Key: key}}
	}
}

func fromConfigMap(key string) change {
	return func(_ *e2e.World, spec *v1alpha1.ReleaseSpec) {
		spec.Template.UserData = &v1alpha1.UserData{ConfigMapRef: &v1alpha1.KeyReference{Name: "web", Key: key}}
	}
}

// makeOthers makes a load balancer and a target group beside those of every world.
func makeOthers(w *e2e.World) {
	if _, there := w.AWS.Pool("other"); !there {
		w.MakeClassic("other", true)
		w.MakeTargetGroup("others")
		w.MakeListener("others", "others")
	}
}

// classChanges are the other values of fields of a ReleaseClass that the schema does not say.
var classChanges = map[string][]func(spec *v1alpha1.ReleaseClassSpec){
	"accountID":  {func(s *v1alpha1.ReleaseClassSpec) { s.AccountID = "999999999999" }},
	"region":     {func(s *v1alpha1.ReleaseClassSpec) { s.Region = "eu-west-1" }},
	"externalID": {func(s *v1alpha1.ReleaseClassSpec) { s.RoleARN, s.ExternalID = noRole(s), "external" }},
	// A queue that is there is played by TestEventsAreHeardAtRest.
	"eventsQueue": {func(s *v1alpha1.ReleaseClassSpec) { s.EventsQueue = noneName }},
	"roleARN":     {func(s *v1alpha1.ReleaseClassSpec) { s.RoleARN = noRole(s) }},
	"allowedNamespaces.matchLabels{}": {func(s *v1alpha1.ReleaseClassSpec) {
		s.AllowedNamespaces.MatchLabels = map[string]v1alpha1.LabelValue{"team": noneName}
	}},
	"allowedNamespaces.matchExpressions[].key":      {expression("In", noneName)},
	"allowedNamespaces.matchExpressions[].operator": {expression("Exists"), expression("DoesNotExist"), expression("NotIn", noneName)},
	"allowedNamespaces.matchExpressions[].values[]": {expression("In", noneName, "nobody")},
	"iamInstanceProfiles[]":                         {func(s *v1alpha1.ReleaseClassSpec) { s.IAMInstanceProfiles = none }},
	"imageOwners[]":                                 {func(s *v1alpha1.ReleaseClassSpec) { s.ImageOwners = none }},
	"pools[]":                                       {func(s *v1alpha1.ReleaseClassSpec) { s.Pools = none }},
	"securityGroups[]":                              {func(s *v1alpha1.ReleaseClassSpec) { s.SecurityGroups = none }},
	"subnets[]":                                     {func(s *v1alpha1.ReleaseClassSpec) { s.Subnets = none }},
}

// noRole is one that nobody may take on, in the account of the class: the API refuses others.
func noRole(s *v1alpha1.ReleaseClassSpec) string {
	return "arn:aws:iam::" + s.AccountID + ":role/none"
}

var none = []v1alpha1.Pattern{noneName}

// expression selects namespaces by one rule about the label team.
func expression(operator metav1.LabelSelectorOperator, values ...v1alpha1.LabelValue) func(*v1alpha1.ReleaseClassSpec) {
	return func(s *v1alpha1.ReleaseClassSpec) {
		s.AllowedNamespaces.MatchExpressions = []v1alpha1.NamespaceRequirement{{Key: "team", Operator: operator, Values: values}}
	}
}
