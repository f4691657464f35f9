package awscloud

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// images implements cloud.Images.
type images struct {
	ec2 imagesAPI
	ssm parameterAPI
}

// Image implements cloud.Images.
func (i *images) Image(ctx context.Context, source cloud.ImageSource) (cloud.Image, error) {
	switch {
	case source.ID != "":
		return i.byID(ctx, source.ID, "image "+source.ID)
	case source.SSMParameter != "":
		return i.byParameter(ctx, source.SSMParameter)
	case source.Selector != nil:
		return i.bySelector(ctx, *source.Selector)
	default:
		return cloud.Image{}, refusedImage("spec.image", rollout.ReasonInvalidParameter, "it names no image",
			"Set one of id, ssmParameter and selector")
	}
}

func (i *images) byID(ctx context.Context, id, thing string) (cloud.Image, error) {
	answer, err := i.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{id}})
	if err != nil {
		return cloud.Image{}, explain(err, thing, imageMeanings)
	}
	if len(answer.Images) == 0 { // an image that was deregistered a while ago
		return cloud.Image{}, missingImage(thing, "EC2 knows no such image", imageMissing.advice)
	}
	found := answer.Images[0]
	if found.State != types.ImageStateAvailable {
		words := fmt.Sprintf("the image is %s, not available", found.State)
		if found.StateReason != nil {
			words += ": " + aws.ToString(found.StateReason.Message)
		}
		return cloud.Image{}, refusedImage(thing, rollout.ReasonImageNotAvailable, words,
			"Wait until it is available, or name another one")
	}
	return imageOf(found), nil
}

func (i *images) byParameter(ctx context.Context, name string) (cloud.Image, error) {
	thing := "SSM parameter " + name
	answer, err := i.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(name)})
	if err != nil {
		return cloud.Image{}, explain(err, thing, imageMeanings)
	}
	if answer.Parameter == nil || answer.Parameter.Type == ssmtypes.ParameterTypeSecureString {
		return cloud.Image{}, refusedImage(thing, rollout.ReasonImageMalformed, "it is no plain String",
			"Store the image id as a String; it is no secret")
	}
	id := strings.TrimSpace(aws.ToString(answer.Parameter.Value))
	return i.byID(ctx, id, fmt.Sprintf("image %q of %s", id, thing))
}

// bySelector takes the newest image that matches; of two made in the same instant the one with the higher id, so that
// everybody takes the same.
func (i *images) bySelector(ctx context.Context, selector cloud.ImageSelector) (cloud.Image, error) {
	thing := selectorThing(selector)
	if len(selector.Owners) == 0 {
		return cloud.Image{}, refusedImage(thing, rollout.ReasonInvalidParameter,
			"without owners anybody could publish an image that matches", "Set spec.image.selector.owners")
	}
	filters := []types.Filter{filter("state", string(types.ImageStateAvailable))}
	if selector.Name != "" {
		filters = append(filters, filter("name", selector.Name))
	}
	for _, key := range slices.Sorted(maps.Keys(selector.Tags)) {
		filters = append(filters, tagged(key, selector.Tags[key]))
	}
	pages := ec2.NewDescribeImagesPaginator(i.ec2, &ec2.DescribeImagesInput{
		Owners: selector.Owners, Filters: filters, MaxResults: aws.Int32(pageSize),
	})
	var newest *types.Image
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return cloud.Image{}, explain(err, thing, imageMeanings)
		}
		for n := range page.Images {
			if newest == nil || older(*newest, page.Images[n]) {
				newest = &page.Images[n]
			}
		}
	}
	if newest == nil {
		return cloud.Image{}, missingImage(thing, "no available image matches",
			"Correct spec.image.selector, or check that the image is shared with this account")
	}
	return imageOf(*newest), nil
}

// older compares creation dates, which EC2 writes so that they sort as text ("2026-11-22T08:00:00.000Z").
func older(a, b types.Image) bool {
	return cmp.Or(
		cmp.Compare(aws.ToString(a.CreationDate), aws.ToString(b.CreationDate)),
		cmp.Compare(aws.ToString(a.ImageId), aws.ToString(b.ImageId)),
	) < 0
}

func imageOf(image types.Image) cloud.Image {
	return cloud.Image{
		ID:           aws.ToString(image.ImageId),
		Owner:        aws.ToString(image.OwnerId),
		OwnerAlias:   aws.ToString(image.ImageOwnerAlias),
		Architecture: string(image.Architecture),
	}
}

func selectorThing(s cloud.ImageSelector) string {
	words := []string{"images of", strings.Join(s.Owners, ", ")}
	if s.Name != "" {
		words = append(words, "named", s.Name)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		words = append(words, "tagged", key+"="+s.Tags[key])
	}
	return strings.Join(words, " ")
}

func refusedImage(thing, reason, message, advice string) *cloud.Error {
	return &cloud.Error{Kind: cloud.Invalid, Reason: reason, Thing: thing, Code: ownCode, Message: message, Advice: advice}
}

func missingImage(thing, message, advice string) *cloud.Error {
	return &cloud.Error{Kind: cloud.NotFound, Reason: rollout.ReasonImageNotFound, Thing: thing, Code: ownCode,
		Message: message, Advice: advice}
}
