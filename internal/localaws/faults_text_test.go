package localaws

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Each line is written again as it was read.
func TestFaultsAreReadFromText(t *testing.T) {
	for line, want := range map[string]ParsedFault{
		"ec2:RunInstances skip=1 count=2 before=500:InternalError": {Call: &Fault{Service: "ec2", Action: "RunInstances", Skip: 1, Count: 2,
			Before: &APIFault{Status: 500, Code: "InternalError"}}},
		"elbv2:Describe* p=0.05 delay=2s": {Call: &Fault{Service: "elbv2", Action: "Describe*", Probability: 0.05, Delay: 2 * time.Second}},
		"ec2:DescribeInstances between=30s..1m30s stale=10s": {Call: &Fault{Service: "ec2", Action: "DescribeInstances",
			From: 30 * time.Second, Until: 90 * time.Second, Stale: 10 * time.Second}},
		`*:* resource=web* between=1m0s.. hang-reply`: {Call: &Fault{Service: "*", Action: "*", Resource: "web*", From: time.Minute, HangReply: true}},
		`elb:Register* before="400:Throttling:Rate exceeded"`: {Call: &Fault{Service: "elb", Action: "Register*",
			Before: &APIFault{Status: 400, Code: "Throttling", Message: "Rate exceeded"}}},
		"ec2:* young=10s after=503":       {Call: &Fault{Service: "ec2", Action: "*", Young: 10 * time.Second, After: &APIFault{Status: 503}}},
		"ec2:Describe* hang missing=i-0*": {Call: &Fault{Service: "ec2", Action: "Describe*", Hang: true, Missing: "i-0*"}},
		"ec2:RunInstances launch=boot=never,crash=10s lose-reply": {Call: &Fault{Service: "ec2", Action: "RunInstances",
			Launch: "boot=never crash=10s", LoseReply: true}},
		"ec2:Run* twice lose-reply": {Call: &Fault{Service: "ec2", Action: "Run*", Twice: true, LoseReply: true}},
		"ssm:GetParameter before=ThrottlingException delay-reply=1s": {Call: &Fault{Service: "ssm", Action: "GetParameter",
			Before: &APIFault{Code: "ThrottlingException"}, DelayReply: time.Second}},

		"server i-* kill after=20s": {World: &WorldFault{What: PartServer, Name: "i-*", Do: EventKill, When: WorldMoment{After: 20 * time.Second}}},
		"server * kill on=ec2:DescribeInstances skip=3 count=1": {World: &WorldFault{What: PartServer, Name: "*", Do: EventKill, Count: 1,
			When: WorldMoment{Service: "ec2", Action: "DescribeInstances", Skip: 3}}},
		"server i-0abc flap=10s status=503": {World: &WorldFault{What: PartServer, Name: "i-0abc", Do: EventFlap, Period: 10 * time.Second, Status: 503}},
		`server "the web" answer=refused`:   {World: &WorldFault{What: PartServer, Name: "the web", Do: EventAnswer}},
		"server web impair back=1m0s":       {World: &WorldFault{What: PartServer, Name: "web", Do: EventImpair, Back: time.Minute}},
		"server web shutdown":               {World: &WorldFault{What: PartServer, Name: "web", Do: EventShutDown}},
		"pool web vanish after=1m0s back=30s": {World: &WorldFault{What: PartPool, Name: "web", Do: EventVanish,
			When: WorldMoment{After: time.Minute}, Back: 30 * time.Second}},
		"balancer front* vanish":  {World: &WorldFault{What: PartBalancer, Name: "front*", Do: EventVanish}},
		"zone us-east-1a out":     {World: &WorldFault{What: PartZone, Name: "us-east-1a", Do: EventOut}},
		"zone * full=t3.* room=2": {World: &WorldFault{What: PartZone, Name: "*", Do: EventFull, Types: "t3.*", Room: 2}},
		"balancer api shift=us-east-1a back=5m0s": {World: &WorldFault{What: PartBalancer, Name: "api", Do: EventShift, From: "us-east-1a",
			Back: 5 * time.Minute}},
		"key AKIA* expire":           {World: &WorldFault{What: PartKey, Name: "AKIA*", Do: EventExpire}},
		"clock skew=-10m0s":          {World: &WorldFault{What: PartClock, Do: EventSkew, Skew: -10 * time.Minute}},
		"server i-1 answer=404":      {World: &WorldFault{What: PartServer, Name: "i-1", Do: EventAnswer, Status: 404}},
		"server i-1 answer=hang":     {World: &WorldFault{What: PartServer, Name: "i-1", Do: EventAnswer, Status: AppHangs}},
		"server i-1 flap=1s count=2": {World: &WorldFault{What: PartServer, Name: "i-1", Do: EventFlap, Period: time.Second, Count: 2}},
	} {
		got, err := ParseFault(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
		if got.String() != line {
			t.Errorf("%s is written as %s", line, got)
		}
	}
}

func TestATextThatIsNoFaultIsRefusedByName(t *testing.T) {
	for line, want := range map[string]string{
		"":                                     "an empty line is no fault; it begins with SERVICE:ACTION, or with one of server, balancer, pool",
		"ec2:RunInstances":                     "does not say what happens",
		"ec2:RunInstances skip=1":              "does not say what happens",
		"ec3:RunInstances hang":                `there is no service "ec3"; known are ec2, elb, elbv2, sts, ssm`,
		"ec2:CreateFleet twice":                "twice is for ec2:RunInstances, and not for ec2:CreateFleet",
		"ec2:RunInstance hang":                 `ec2 has no operation "RunInstance" here`,
		":RunInstances hang":                   "is not SERVICE:ACTION",
		"ec2:RunInstances dely=2s":             `there is no setting "dely"; known are resource, between, skip`,
		"ec2:RunInstances hang hang":           "hang is there twice",
		"ec2:RunInstances hang=1":              "hang takes no value",
		"ec2:RunInstances delay":               "delay needs a value",
		"ec2:RunInstances delay=":              "delay needs a value",
		"ec2:RunInstances delay=2":             `"2" is no duration`,
		"ec2:RunInstances delay=-2s":           "must be more than 0",
		"ec2:RunInstances skip=0 hang":         `"0" is no number from 1`,
		"ec2:RunInstances p=1.5 hang":          `"1.5" is no probability`,
		"ec2:RunInstances p=NaN hang":          `"NaN" is no probability`,
		"ec2:RunInstances between=5s hang":     "is not of the form",
		"ec2:RunInstances between=5s..4s hang": "4s is not after 5s",
		"ec2:RunInstances between=x..4s hang":  `"x" is no duration`,
		"ec2:RunInstances before=99:X":         "99 is no HTTP status",
		`ec2:RunInstances before="A B"`:        "is no error code",
		"ec2:RunInstances stale=1s":            "for calls that read",
		"ec2:DescribeInstances stale=1h":       "the longest that is remembered",
		"ec2:DescribeInstances launch=boot=1s": "for calls that launch",
		"ec2:RunInstances launch=boat=1s":      "there is no such setting",
		`ec2:RunInstances before="500`:         "the quotes",
		`ec2:RunInstances before="500"x`:       "there must be a space",
		"disk i-1 kill":                        `it begins with "disk", which is neither SERVICE:ACTION nor one of server`,
		"server":                               "server needs a name",
		"server i-1":                           "does not say what happens to the server: kill or shutdown",
		"server i-1 vanish":                    `"vanish" cannot happen to a server; known is kill, shutdown`,
		"server i-1 kill=3":                    `"kill=3" cannot happen`,
		"server i-1 flap":                      `"flap" cannot happen`,
		"server i-1 flap=1ms":                  "at least 1s",
		"server i-1 answer=99":                 "is neither an HTTP status",
		"server i-1 kill status=500":           "status is for flap",
		"server i-1 flap=2s status=refused":    "cannot refuse connections",
		"server i-1 kill back=3s":              "does not come back",
		"server i-1 kill skip=3":               "skip is for on",
		"server i-1 kill after=1s on=ec2:*":    "both moments",
		"pool web vanish count=1":              "count is for servers",
		"zone us-east-1a full":                 `"full" cannot happen`,
		"zone us-east-1a full=t9.*":            `there is no instance type "t9.*" here`,
		"zone us-east-1a out room=2":           "room is for full=TYPES",
		"balancer api shift=":                  "it needs a zone",
		"pool api shift=us-east-1a":            `"shift=us-east-1a" cannot happen`,
		"clock skew=soon":                      `"soon" is no duration`,
	} {
		if _, err := ParseFault(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v\nwant %s", line, err, want)
		}
	}
}

// FuzzParseFault: what is read is written so that it is read as the same.
func FuzzParseFault(f *testing.F) {
	for _, line := range []string{
		"ec2:RunInstances skip=1 count=2 before=500:InternalError", "elbv2:Describe* p=0.05 delay=2s", "server i-* kill after=20s",
		"ec2:DescribeInstances stale=10s between=30s..90s", "pool web vanish after=1m back=30s", "server i-0abc flap=10s",
		`*:* missing="a \"b\" c" after="503:X:y z"`, "clock skew=-10m", `server "the web" answer=hang on=*:Run* skip=2`,
		"ec2:RunInstances launch=boot=never,fail=X", "zone us-* full=t3.* room=2", `balancer "a b" shift="c d"`, "key AKIA* expire", "zone us-* out back=3m",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		p, err := ParseFault(line)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		again, err := ParseFault(p.String())
		if err != nil {
			t.Fatalf("%q was written as %q: %v", line, p, err)
		}
		if diff := cmp.Diff(p, again); diff != "" {
			t.Errorf("%q was written as %q (-first +second):\n%s", line, p, diff)
		}
	})
}
