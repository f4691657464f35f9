package awscloud

import (
	"errors"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// codes is a set of AWS error codes. EC2's are listed at
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
type codes map[string]struct{}

func setOf(members ...string) codes {
	set := codes{}
	for _, code := range members {
		set[code] = struct{}{}
	}
	return set
}

func (c codes) has(code string) bool {
	_, ok := c[code]
	return ok
}

// noCapacity: there is no room for this instance type in this place; another type or place may have some. Karpenter goes on
// to its next choice for the same codes, and for those of typeQuota (pkg/errors of karpenter-provider-aws).
var noCapacity = setOf("InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientCapacity",
	"InsufficientVolumeCapacity", "InsufficientFreeAddressesInSubnet", "UnfulfillableCapacity",
	"ReservationCapacityExceeded", "MaxFleetCountExceeded", "Unsupported", "UnsupportedOperation")

// typeQuota: the account may not have more of this family of types; another family has a quota of its own.
var typeQuota = setOf("VcpuLimitExceeded", "MaxSpotInstanceCountExceeded")

// passes: AWS could not do it now, or did not speak at all, whatever the HTTP status says.
var passes = setOf("ConcurrentTagAccess", "IncorrectState", "InternalError", "InternalFailure", "ServerInternal",
	"ServiceUnavailable", "Unavailable", "RequestTimeout", "RequestTimeoutException", parameterMismatch, noCode)

// throttled: too many calls, by the SDK's own list and classic load balancing's word for "EC2 throttles us".
var throttled = func() codes {
	set := setOf("DependencyThrottle")
	maps.Copy(set, retry.DefaultThrottleErrorCodes)
	return set
}()

// denied: the credentials are not good (enough).
var denied = setOf("UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthFailure",
	"InvalidClientTokenId", "UnrecognizedClientException", "MissingAuthenticationToken", "ExpiredToken",
	"ExpiredTokenException", "RequestExpired", "SignatureDoesNotMatch", "InvalidSignatureException",
	"IncompleteSignature", "OptInRequired", "PendingVerification", "Blocked", "RegionDisabledException")

// meaning is what a code says in our words.
type meaning struct {
	kind   cloud.Kind
	reason string
	advice string
}

// meanings are those of one verb, by code.
type meanings map[string]meaning

// and adds one meaning for several codes.
func (m meanings) and(what meaning, members codes) meanings {
	for code := range members {
		m[code] = what
	}
	return m
}

// always are the meanings that no verb differs about.
var always = meanings{}.
	and(meaning{cloud.Throttled, rollout.ReasonThrottled,
		"Nothing to do: it is tried again. If it lasts, see who else calls this API, or ask AWS to raise the account's rate"},
		throttled).
	and(meaning{cloud.Denied, rollout.ReasonAccessDenied,
		"Check the IAM policy of the role that Slipway uses, and that its credentials are valid"},
		denied)

// launchMeanings: what RunInstances refuses.
var launchMeanings = meanings{
	"InvalidAMIID.Malformed": {cloud.Invalid, rollout.ReasonImageMalformed, "Correct spec.image"},
	"InvalidAMIID.NotFound": {cloud.Invalid, rollout.ReasonImageNotFound,
		"Check the region, that the image is shared with this account, and the account's Allowed AMIs"},
	"InvalidAMIID.Unavailable": {cloud.Invalid, rollout.ReasonImageNotAvailable,
		"Wait until the image is available, or name another one"},
	"IdempotentInstanceTerminated": {cloud.Terminated, "", "Nothing to do: it is launched again with another token"},
	"InvalidKeyPair.NotFound":      keyPairMissing,
	"InvalidKeyPair.Format":        keyPairMissing,
	"InvalidUserData.Malformed":    userDataTooLarge,
}.
	and(meaning{cloud.NoCapacity, rollout.ReasonNoCapacity,
		"The next instance type or subnet is tried; add more of either to the template if none is left"}, noCapacity).
	and(meaning{cloud.NoCapacity, rollout.ReasonQuotaExceeded, raiseQuota}, typeQuota).
	and(meaning{cloud.Quota, rollout.ReasonQuotaExceeded, raiseQuota},
		setOf("InstanceLimitExceeded", "ResourceCountExceeded", "VolumeLimitExceeded", "NetworkInterfaceLimitExceeded")).
	and(meaning{cloud.Invalid, rollout.ReasonSubnetNotFound,
		"Correct spec.template.subnetIDs; a subnet belongs to one account and region"},
		setOf("InvalidSubnetID.NotFound", "InvalidSubnetID.Malformed", "InvalidSubnetId.Malformed")).
	and(meaning{cloud.Invalid, rollout.ReasonSecurityGroupNotFound,
		"Correct spec.template.securityGroupIDs; a group belongs to one VPC, and a new one is seen after some seconds"},
		setOf("InvalidGroup.NotFound", "InvalidGroupId.Malformed", "InvalidSecurityGroupID.NotFound")).
	and(meaning{cloud.Invalid, rollout.ReasonInvalidParameter, "Correct spec.template"},
		setOf("InvalidParameter", "InvalidParameterValue", "InvalidParameterCombination", "InvalidParameterDependency",
			"MissingParameter", "UnknownParameter", "ValidationError", "InvalidBlockDeviceMapping",
			"InvalidSnapshot.NotFound", "InvalidInput", "VPCIdNotSpecified"))

const raiseQuota = "Ask AWS to raise the quota, or free some of it (terminated servers count for a few minutes more)"

// launchRefused: RunInstances refuses for a reason that no table lists.
var launchRefused = meaning{cloud.Invalid, rollout.ReasonLaunchFailed,
	"Correct spec.template or the account as AWS says; it is launched again by itself"}

// tokenSpent: the token is bound to other parameters, and nothing was launched with those.
var tokenSpent = meaning{cloud.Invalid, rollout.ReasonLaunchFailed, "Nothing to do: it is launched again with another token"}

// maxUserData is what EC2 takes, before base64. It answers InvalidParameterValue to more, as it does to anything.
const maxUserData = 16 * 1024

var userDataTooLarge = meaning{cloud.Invalid, rollout.ReasonUserDataTooLarge,
	"Shorten the user data to 16 KiB, for example by fetching the rest at boot"}

var keyPairMissing = meaning{cloud.Invalid, rollout.ReasonKeyPairNotFound,
	"Correct spec.template.keyName, or import the key pair in this region"}

var profileMissing = meaning{cloud.Invalid, rollout.ReasonInstanceProfileNotFound,
	"Correct spec.template.iamInstanceProfile; a profile made a moment ago is seen after some seconds"}

// unknownServer is no NotFound: EC2 says so of servers that run, too, for minutes after their launch.
const unknownServer = "InvalidInstanceID.NotFound"

// serverMeanings: what TerminateInstances and CreateTags refuse.
var serverMeanings = meanings{
	unknownServer:                 {cloud.Unknown, "", "EC2 may not know a server yet that was launched a moment ago: it is tried again"},
	"InvalidInstanceID.Malformed": {cloud.Invalid, rollout.ReasonInvalidParameter, ""},
	"OperationNotPermitted": {cloud.Invalid, rollout.ReasonInvalidParameter,
		"Switch its termination protection off, or tag it " + cloud.TagHold + " to keep it"},
	"TagLimitExceeded": {cloud.Invalid, rollout.ReasonInvalidParameter, "Remove tags: 50 are allowed"},
}

// poolMeanings: what both generations of load balancing refuse.
var poolMeanings = meanings{}.
	and(meaning{cloud.NotFound, rollout.ReasonPoolNotFound,
		"Correct spec.loadBalancers, or create it again; a load balancer belongs to one account and region"},
		setOf("LoadBalancerNotFound", "TargetGroupNotFound")).
	and(meaning{cloud.Invalid, rollout.ReasonPoolRefusesServers,
		"See in EC2 whether the server runs, and is in the VPC of the load balancer"},
		unfit).
	and(meaning{cloud.Quota, rollout.ReasonPoolRefusesServers, "Ask AWS to raise the quota of targets, or use a further load balancer"},
		setOf("TooManyTargets", "TooManyRegistrationsForTargetId")).
	and(meaning{cloud.Invalid, rollout.ReasonInvalidParameter, "Check the settings of the load balancer"},
		setOf("ValidationError", "InvalidConfigurationRequest", "OperationNotPermitted"))

// unfit: one of the servers in a call cannot be (de)registered, and none of them was.
var unfit = setOf("InvalidInstance", "InvalidTarget")

// imageMeanings: what DescribeImages and GetParameter refuse.
var imageMeanings = meanings{
	"InvalidAMIID.Malformed":   {cloud.Invalid, rollout.ReasonImageMalformed, "Correct spec.image"},
	"InvalidAMIID.NotFound":    imageMissing,
	"InvalidAMIID.Unavailable": imageMissing,
	"ParameterNotFound":        parameterMissing,
	"ParameterVersionNotFound": parameterMissing,
	"ValidationException":      {cloud.Invalid, rollout.ReasonInvalidParameter, "Correct spec.image"},
	"InvalidParameterValue":    {cloud.Invalid, rollout.ReasonInvalidParameter, "Correct spec.image"},
	"InvalidUserID.Malformed":  {cloud.Invalid, rollout.ReasonInvalidParameter, "Correct spec.image.selector.owners"},
}

var (
	imageMissing = meaning{cloud.NotFound, rollout.ReasonImageNotFound,
		"Check the region, and that the image is shared with this account"}
	parameterMissing = meaning{cloud.NotFound, rollout.ReasonImageParameterNotFound,
		"Create the SSM parameter in this region, or correct spec.image.ssmParameter"}
)

// ownCode stands where AWS's code would, in errors that we found ourselves.
const ownCode = "Slipway"

// codeOf is AWS's error code, empty for an error that did not come from an API.
func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// explain puts an error of the SDK into our words: as *cloud.Error about thing if known or always has its code, and as an
// unknownError otherwise. Both keep the error as it came.
func explain(err error, thing string, known meanings) error {
	if err == nil {
		return nil
	}
	if said := explained(err); said != nil {
		return said
	}
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return &unknownError{thing, wordsOfUnknown(err), err}
	}
	what, ok := known[api.ErrorCode()]
	if !ok {
		what, ok = always[api.ErrorCode()]
	}
	if !ok {
		return &unknownError{thing, wordsOfUnknown(err), err}
	}
	return what.about(thing, api, err)
}

func (m meaning) about(thing string, api smithy.APIError, err error) *cloud.Error {
	return &cloud.Error{Kind: m.kind, Reason: m.reason, Thing: thing, Code: api.ErrorCode(),
		Message: wordsOf(api), Advice: m.advice, Err: err}
}

// wordsOf is AWS's message without the kilobyte of cipher text that EC2 appends to "not authorized", without a request id,
// and without the full stop, for the sentence goes on.
func wordsOf(api smithy.APIError) string {
	words, _, _ := strings.Cut(api.ErrorMessage(), "Encoded authorization failure message:")
	words = requestID.ReplaceAllString(words, "")
	return strings.TrimRight(strings.TrimSpace(words), ".")
}
