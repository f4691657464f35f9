package localaws

import (
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Each bound of a redirect is tried from both sides. What changes nothing would send clients round in a circle.
func TestBoundsOfRedirects(t *testing.T) {
	s := newBalancerSim(t)
	listener := s.listener(s.balancer("web", alb), 80, s.group("a", "HTTP"))
	read := func() types.Action {
		return must(s.v2.DescribeListeners(s.ctx, &elbv2.DescribeListenersInput{ListenerArns: []string{listener}})).Listeners[0].DefaultActions[0]
	}
	type redirected = types.RedirectActionConfig
	text, size := aws.String, func(n int) *string { return aws.String("/" + strings.Repeat("x", n-1)) }
	const (
		invalid = "ValidationError"
		loop    = "InvalidLoadBalancerAction"
		loops   = "The redirect configuration is not valid because it creates a loop."
	)
	for _, tc := range []struct {
		redirect   redirected
		code, want string // of the refusal; empty: accepted
	}{
		{redirected{Protocol: text("HTTPS")}, "", ""},
		{redirected{Protocol: text("#{protocol}"), Host: text("a.example.com")}, "", ""},
		{redirected{Protocol: text("http"), Port: text("81")}, invalid, "The protocol 'http' of a redirect must be HTTP, HTTPS or #{protocol}"},
		{redirected{Protocol: text("HTTPS:")}, invalid, "The protocol 'HTTPS:' of a redirect must be HTTP, HTTPS or #{protocol}"},
		{redirected{Port: text("1")}, "", ""},
		{redirected{Port: text("65535")}, "", ""},
		{redirected{Port: text("0")}, invalid, "The port '0' of a redirect must be in the range 1-65535 or #{port}"},
		{redirected{Port: text("65536")}, invalid, "The port '65536' of a redirect must be in the range 1-65535 or #{port}"},
		{redirected{Port: text("+80")}, invalid, "The port '+80' of a redirect must be in the range 1-65535 or #{port}"},
		{redirected{Host: size(128)}, "", ""},
		{redirected{Host: size(129)}, invalid, "The host of a redirect must have 1 to 128 characters"},
		{redirected{Host: text(""), Port: text("81")}, invalid, "The host of a redirect must have 1 to 128 characters"},
		{redirected{Path: size(128)}, "", ""},
		{redirected{Path: size(129)}, invalid, "The path of a redirect must have 1 to 128 characters"},
		{redirected{Path: text(""), Port: text("81")}, invalid, "The path of a redirect must have 1 to 128 characters"},
		{redirected{Port: text("81"), Query: size(128)}, "", ""},
		{redirected{Port: text("81"), Query: text("")}, "", ""}, // it is taken away
		{redirected{Port: text("81"), Query: size(129)}, invalid, "The query of a redirect must have at most 128 characters"},
		{redirected{}, loop, loops},
		{redirected{Query: text("a=1")}, loop, loops},
		{redirected{Protocol: text("HTTP")}, loop, loops},
		{redirected{Protocol: text("#{protocol}"), Host: text("#{host}"), Port: text("#{port}"), Path: text("/#{path}")}, loop, loops},
	} {
		was := read()
		tc.redirect.StatusCode = "HTTP_301"
		_, err := s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener,
			DefaultActions: []types.Action{{Type: "redirect", RedirectConfig: &tc.redirect}}})
		if tc.code != "" {
			wantError(t, err, 400, tc.code, tc.want)
			if got := read(); !reflect.DeepEqual(got, was) {
				t.Errorf("%s: the listener changed from %+v to %+v", tc.want, was, got)
			}
		} else if succeed(t, err); !keeps(tc.redirect, *read().RedirectConfig) {
			t.Errorf("%+v reads %+v", tc.redirect, *read().RedirectConfig)
		}
	}
}

// keeps tells whether all that was given reads back.
func keeps(given, read types.RedirectActionConfig) bool {
	same := func(given, read *string) bool { return given == nil || *given == *read }
	return same(given.Protocol, read.Protocol) && same(given.Port, read.Port) && same(given.Host, read.Host) && same(given.Path, read.Path) &&
		same(given.Query, read.Query)
}
