package e2e

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

// What the mistakes name, and nobody has made yet.
const (
	lostImage  = "ami-0dead000000000000"
	lostSubnet = "subnet-0dead000000000000"
	lostGroup  = "sg-0dead000000000000"

	secondImage = "ami-0a11ce00000000002" // of DefaultWorld
	thirdSubnet = "subnet-0a11ce000000000a3"
)

// What is said of mistakes of several kinds.
const (
	adviceImage     = "Wait until it is available, or name another one"
	adviceParameter = "Correct spec.image"
	ownWords        = "(Slipway)" // in the place of AWS's code, where AWS did not refuse
)

func ofImage(source v1alpha1.ImageSource) func(*World, *v1alpha1.Release) {
	return func(_ *World, rel *v1alpha1.Release) { rel.Spec.Image = source }
}

// inState moves the second image to a state.
func inState(state string) func(w *World) {
	return func(w *World) { w.must("change the image", w.AWS.SetImageState(secondImage, state)) }
}

// imageMistakes are those about the machine image.
func imageMistakes() []mistake {
	notAvailable := func(state string) refusal {
		return told(v1alpha1.ReasonImageNotAvailable, "the image is "+state+", not available", adviceImage, "image "+secondImage)
	}
	parameter := "SSM parameter " + imageParameter
	return []mistake{
		{
			name: "the image does not exist", edit: ofImage(v1alpha1.ImageSource{ID: lostImage}),
			refusal: told(v1alpha1.ReasonImageNotFound, "(InvalidAMIID.NotFound)", "Check the region, and that the image is shared", "image "+lostImage),
			mend:    func(w *World) { w.AWS.SeedImage(localaws.Image{ID: lostImage}) },
		},
		{
			name: "the image is pending, failed, disabled, and deregistered", before: inState("pending"),
			edit: ofImage(v1alpha1.ImageSource{ID: secondImage}), refusal: notAvailable("pending"),
			turns: []turn{
				{inState("failed"), notAvailable("failed")},
				{inState("disabled"), notAvailable("disabled")},
				{inState("deregistered"), told(v1alpha1.ReasonImageNotFound, "EC2 knows no such image", "Check the region", "image "+secondImage)},
			},
			mend: inState("available"),
		},
		{
			name: "the SSM parameter does not exist, holds no image, an image that does not exist, and a secret",
			edit: ofImage(v1alpha1.ImageSource{SSMParameter: imageParameter}),
			refusal: told(v1alpha1.ReasonImageParameterNotFound, "(ParameterNotFound)",
				"Create the SSM parameter in this region, or correct spec.image.ssmParameter", parameter),
			turns: []turn{
				{func(w *World) { w.must("put", w.putParameter(imageParameter, "latest")) },
					told(v1alpha1.ReasonImageMalformed, "(InvalidAMIID.Malformed)", adviceParameter, parameter, `"latest"`)},
				{func(w *World) { w.must("put", w.putParameter(imageParameter, lostImage)) },
					told(v1alpha1.ReasonImageNotFound, "(InvalidAMIID.NotFound)", "Check the region", parameter, lostImage)},
				{func(w *World) { w.putSecret(secondImage) },
					told(v1alpha1.ReasonImageMalformed, ownWords, "Store the image id as a String", parameter)},
			},
			mend: func(w *World) {
				w.removeParameter()
				w.must("put", w.PutImage(imageParameter, secondImage))
			},
		},
		{
			name:    "no image matches the selector",
			edit:    ofImage(v1alpha1.ImageSource{Selector: &v1alpha1.ImageSelector{Owners: []v1alpha1.ImageOwner{"self"}, Name: "late-*"}}),
			refusal: told(v1alpha1.ReasonImageNotFound, "no available image matches", "Correct spec.image.selector", "images of self named late-*"),
			mend:    func(w *World) { w.AWS.SeedImage(localaws.Image{Name: "late-1"}) },
		},
	}
}

// putSecret replaces the parameter by one of another type, which no overwriting can do.
func (w *World) putSecret(value string) {
	w.Helper()
	w.removeParameter()
	_, err := w.Person().SSM.PutParameter(w.Context(), &ssm.PutParameterInput{
		Name: aws.String(imageParameter), Value: &value, Type: ssmtypes.ParameterTypeSecureString,
	})
	w.must("put a secret", err)
}

func (w *World) removeParameter() {
	w.Helper()
	_, err := w.Person().SSM.DeleteParameter(w.Context(), &ssm.DeleteParameterInput{Name: aws.String(imageParameter)})
	w.must("delete the parameter", err)
}

func inSubnets(ids ...string) func(*World, *v1alpha1.Release) {
	return func(_ *World, rel *v1alpha1.Release) {
		rel.Spec.Template.SubnetIDs = nil
		for _, id := range ids {
			rel.Spec.Template.SubnetIDs = append(rel.Spec.Template.SubnetIDs, v1alpha1.SubnetID(id))
		}
	}
}

// launchMistakes are those that EC2 refuses a launch for.
func launchMistakes() []mistake {
	subnetMissing := told(v1alpha1.ReasonSubnetNotFound, "(InvalidSubnetID.NotFound)", "Correct spec.template.subnetIDs", "subnet "+lostSubnet)
	makeSubnet := func(w *World) {
		w.AWS.SeedSubnet(localaws.Subnet{ID: lostSubnet, AZ: w.AWS.Region() + "c", VPC: w.Site.VPC})
	}
	return []mistake{
		{
			name: "a subnet does not exist, and is made", edit: inSubnets(lostSubnet),
			refusal: subnetMissing, mend: makeSubnet,
		},
		{
			name:    "one of two subnets does not exist, and is made",
			edit:    func(w *World, rel *v1alpha1.Release) { inSubnets(w.Site.Subnets[0], lostSubnet)(w, rel) },
			refusal: subnetMissing, launched: 1, mend: makeSubnet,
		},
		{
			name: "a subnet does not exist, and another one is named", edit: inSubnets(lostSubnet), refusal: subnetMissing,
			edited: func(w *World, rel *v1alpha1.Release) { inSubnets(w.Site.Subnets...)(w, rel) },
		},
		{
			name: "a security group does not exist",
			edit: func(_ *World, rel *v1alpha1.Release) {
				rel.Spec.Template.SecurityGroupIDs = []v1alpha1.SecurityGroupID{lostGroup}
			},
			refusal: told(v1alpha1.ReasonSecurityGroupNotFound, "(InvalidGroup.NotFound)", "Correct spec.template.securityGroupIDs", lostGroup),
			mend:    func(w *World) { w.AWS.SeedSecurityGroup(lostGroup, "late", w.Site.VPC) },
		},
		{
			name: "the key pair does not exist", edit: func(_ *World, rel *v1alpha1.Release) { rel.Spec.Template.KeyName = "lost" },
			refusal: told(v1alpha1.ReasonKeyPairNotFound, "(InvalidKeyPair.NotFound)", "Correct spec.template.keyName", "key pair lost"),
			mend:    func(w *World) { w.AWS.SeedKeyPair("lost") },
		},
		{
			name: "the instance profile does not exist", edit: func(_ *World, rel *v1alpha1.Release) { rel.Spec.Template.IAMInstanceProfile = "late" },
			refusal: told(v1alpha1.ReasonInstanceProfileNotFound, "Invalid IAM Instance Profile name (InvalidParameterValue)",
				"Correct spec.template.iamInstanceProfile", "instance profile late"),
			mend: func(w *World) { w.AWS.SeedInstanceProfile("late") },
		},
		{
			name: "the instance type does not exist",
			edit: func(_ *World, rel *v1alpha1.Release) {
				rel.Spec.Template.InstanceTypes = []v1alpha1.InstanceType{"z9.huge"}
			},
			refusal: told(v1alpha1.ReasonInvalidParameter, "(InvalidParameterValue)", "Correct spec.template", "z9.huge"),
			edited: func(_ *World, rel *v1alpha1.Release) {
				rel.Spec.Template.InstanceTypes = []v1alpha1.InstanceType{microType}
			},
		},
	}
}

// limits are those of the account and of EC2.
func limits() []mistake {
	const advice = "Ask AWS to raise the quota"
	return []mistake{
		{
			name: "the quota of servers is used up", before: func(w *World) { w.AWS.SetInstanceQuota(3) }, launched: 1,
			refusal: told(v1alpha1.ReasonQuotaExceeded, "instance limit of 3", advice, microType+" in subnet-", "(InstanceLimitExceeded)"),
			mend:    func(w *World) { w.AWS.SetInstanceQuota(-1) },
		},
		{
			name: "the quota of vCPUs is used up", before: func(w *World) { w.AWS.SetVCPUQuota(4) },
			refusal: told(v1alpha1.ReasonQuotaExceeded, "vCPU limit of 4", advice, " in subnet-", "(VcpuLimitExceeded)"),
			mend:    func(w *World) { w.AWS.SetVCPUQuota(-1) },
		},
		{
			name: "there is no capacity anywhere", before: func(w *World) { w.setCapacity(0) },
			refusal: told(v1alpha1.ReasonNoCapacity, "(InsufficientInstanceCapacity)", "add more", smallType, "us-east-1b"),
			mend:    func(w *World) { w.setCapacity(-1) },
		},
		{
			name: "the subnets have no addresses left", before: func(w *World) { w.setAddresses(0) },
			refusal: told(v1alpha1.ReasonNoCapacity, "(InsufficientFreeAddressesInSubnet)", "add more", "subnet-0a11ce000000000a2"),
			mend:    func(w *World) { w.setAddresses(100) },
		},
	}
}

// setCapacity limits all types and zones; negative: no limit.
func (w *World) setCapacity(n int) {
	for _, kind := range []string{microType, smallType} {
		for _, zone := range []string{"a", "b", "c"} {
			w.AWS.SetCapacity(kind, w.AWS.Region()+zone, n)
		}
	}
}

// setAddresses limits the free addresses of the subnets.
func (w *World) setAddresses(n int) {
	w.Helper()
	for _, subnet := range slices.Clone(w.Site.Subnets) {
		w.must("limit "+subnet, w.AWS.SetFreeAddresses(subnet, n))
	}
}
