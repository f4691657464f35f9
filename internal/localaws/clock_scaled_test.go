package localaws

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// A day passes in well under a second, and nothing happens before it is due.
func TestScaledClockRunsFaster(t *testing.T) {
	const day = 24 * time.Hour
	clock := ScaledClock(1e6)
	began := clock.Now()
	early := make(chan time.Time, 1)
	clock.AfterFunc(day, func() { early <- clock.Now() })
	stopped := clock.AfterFunc(1000*day, func() { t.Error("a callback ran that was stopped in time") })
	stopped()
	select {
	case at := <-early:
		if at.Before(began.Add(day)) {
			t.Errorf("what is due after a day ran after %v", at.Sub(began))
		}
	case <-time.After(time.Minute):
		t.Error("a day at a million times the speed is not over after a minute")
	}
	if got := onTheWall(clock, day); got < 86*time.Millisecond || got > 87*time.Millisecond {
		t.Errorf("a day takes %v on the wall", got)
	}
}

func TestScaledClockTakesSensibleFactors(t *testing.T) {
	for _, factor := range []float64{0, -1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a clock that runs %v times as fast was made", factor)
				}
			}()
			ScaledClock(factor)
		}()
	}
	if got := speed(ScaledClock(1)); got != 1 {
		t.Errorf("the speed of real time is %v", got)
	}
	if got := speed(NewVirtualClock(testStart)); got != 0 {
		t.Errorf("the speed of a clock that stands still is %v", got)
	}
}

// With a minute a second, a server boots, is found healthy by real requests and serves, in the time that health checks of real
// time would hardly begin in.
func TestDataPlaneOnAScaledClock(t *testing.T) {
	s := newPlaneSimOn(t, ScaledClock(60), DefaultKnobs())
	group := s.behind("web", types.LoadBalancerTypeEnumApplication)
	ids := s.launch(1)
	s.await("the server runs", func() bool { in, _ := s.Instance(ids[0]); return in.State == stateRunning })
	s.enroll(group, ids...)
	s.await("the target is healthy", func() bool { return s.targetHealth(group, ids[0])[0] == "healthy" })
	answer, err := s.get(client(t, true), s.Endpoints()["web"])
	if err != nil || answer.status != http.StatusOK || answer.instance != ids[0] {
		t.Errorf("the load balancer answers %+v, %v; want 200 from %s", answer, err, ids[0])
	}
}
