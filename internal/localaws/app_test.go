package localaws

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/google/go-cmp/cmp"
)

func withUserData(text string) func(*ec2.RunInstancesInput) {
	return func(in *ec2.RunInstancesInput) { in.UserData = userData(text) }
}

// step is what a server is after some time.
type step struct {
	after  time.Duration
	state  string
	answer int
}

func TestServersDoWhatTheirLaunchSays(t *testing.T) {
	const s = time.Second
	tests := map[string]struct {
		userData string
		change   func(*ec2.RunInstancesInput)
		steps    []step
		reason   string
	}{
		"boots and configures": {"#localaws boot=2s configure=5s", nil,
			[]step{{2*s - 1, "pending", 0}, {1, "running", 0}, {5*s - 1, "running", 0}, {1, "running", 200}}, ""},
		"never boots": {"#localaws boot=never", nil, []step{{24 * time.Hour, "pending", 0}}, "pending"},
		"answers 503": {"#localaws boot=0s configure=0s status=503", nil, []step{{s, "running", 503}}, ""},
		"gets sick":   {"#localaws boot=1s configure=1s sick-after=3s", nil, []step{{4 * s, "running", 200}, {s, "running", 500}}, ""},
		"terminates itself": {"#localaws boot=1s configure=1s crash=5s", func(in *ec2.RunInstancesInput) { in.InstanceInitiatedShutdownBehavior = "terminate" },
			[]step{{6*s - 1, "running", 200}, {1, "shutting-down", 0}, {30 * s, "terminated", 0}}, "Client.InstanceInitiatedShutdown"},
		"stops itself": {"#localaws boot=1s configure=1s crash=5s", nil,
			[]step{{6 * s, "stopping", 0}, {20 * s, "stopped", 0}}, "Client.InstanceInitiatedShutdown"},
		"fails to launch": {"#localaws boot=3s fail=Client.VolumeLimitExceeded", nil,
			[]step{{3*s - 1, "pending", 0}, {1, "terminated", 0}}, "Client.VolumeLimitExceeded"},
		"settings on several lines, among others": {"#cloud-config\n  #localaws boot=9s\n#localawsome=1\n#localaws boot=1s configure=1s\nruncmd: []\n", nil,
			[]step{{2 * s, "running", 200}}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			sim := newSim(t)
			change := tc.change
			if change == nil {
				change = func(*ec2.RunInstancesInput) {}
			}
			id := sim.launch(1, withUserData(tc.userData), change)[0]
			var got []step
			for _, step := range tc.steps {
				sim.clock.Advance(step.after)
				in, _ := sim.Instance(id)
				step.state, step.answer = in.State, in.AppStatus
				got = append(got, step)
			}
			if diff := cmp.Diff(tc.steps, got, cmp.AllowUnexported(step{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if in, _ := sim.Instance(id); in.StateReason != tc.reason {
				t.Errorf("state reason %q, want %q", in.StateReason, tc.reason)
			}
		})
	}
}

func TestAnImagesSettingsYieldToTheUserData(t *testing.T) {
	s := newSim(t)
	broken := s.SeedImage(Image{App: "version=v3 boot=1s configure=1s status=500"})
	byImage := func(in *ec2.RunInstancesInput) { in.ImageId = &broken }
	plain, mended := s.launch(1, byImage)[0], s.launch(1, byImage, withUserData("#localaws version=v4 status=204"))[0]
	s.clock.Advance(2 * time.Second)
	s.wantInstance(plain, "running", "v3", 500)
	s.wantInstance(mended, "running", "v4", 204)
}

func TestSettingsThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"#localaws boot=soon":     `#localaws boot=soon: time: invalid duration "soon"`,
		"#localaws configure=-1s": "#localaws configure=-1s: a time cannot be negative",
		"#localaws status=99":     "#localaws status=99: 99 is no HTTP status that an application answers with",
		"#localaws colour=blue":   "#localaws colour=blue: there is no such setting",
	} {
		if _, err := parseAppSettings("", text); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestServersAreChangedFromOutside(t *testing.T) {
	s := newSim(t)
	ids := s.launch(4, withUserData("#localaws boot=1s configure=10s sick-after=5s"))
	s.clock.Advance(2 * time.Second)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.SetAppStatus(ids[0], 418))
	s.wantInstance(ids[0], "running", "v1", AppRefuses) // not configured yet
	s.clock.Advance(9 * time.Second)
	s.wantInstance(ids[0], "running", "v1", 418)
	must(s.SetAppStatus(ids[0], AppHangs))
	killed := s.clock.Now()
	must(s.Kill(ids[1]))
	must(s.ShutDown(ids[2]))
	s.clock.Advance(time.Hour - time.Minute)
	s.wantInstance(ids[0], "running", "v1", AppHangs) // what was decided from outside stays
	s.wantInstance(ids[1], "terminated", "v1", AppRefuses)
	s.wantInstance(ids[2], "stopped", "v1", AppRefuses)
	s.wantInstance(ids[3], "running", "v1", 500)
	if in, _ := s.Instance(ids[1]); in.StateReason != "Server.InternalError" || !in.Ran.Equal(killed) {
		t.Errorf("a killed instance has the state reason %s and ran until %s", in.StateReason, in.Ran)
	}
	if in, _ := s.Instance(ids[3]); !in.Ran.IsZero() {
		t.Errorf("one that runs ran until %s", in.Ran)
	}
	if err := s.Kill("i-none"); err == nil || err.Error() != "there is no instance i-none" {
		t.Errorf("killing an unknown instance: %v", err)
	}
}
