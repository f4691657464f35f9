package localaws

import (
	"math"
	"time"
)

// ScaledClock runs by itself, factor times as fast as the wall clock, from the time at which it was made: 1 is real time, 60 a
// minute a second, 0.5 half the speed. All that the world waits for passes as much sooner: boots, health checks, draining, and
// the idle timeouts of the data plane. How long a server takes to answer (DataPlaneOptions.Latency, wait=) is the caller's own
// time and stays. It panics on a factor that is not positive.
func ScaledClock(factor float64) Clock {
	if factor <= 0 || math.IsInf(factor, 0) || math.IsNaN(factor) {
		panic("localaws: a clock's factor must be positive")
	}
	if factor == 1 {
		return RealClock()
	}
	return scaledClock{began: time.Now(), factor: factor}
}

type scaledClock struct {
	began  time.Time
	factor float64
}

func (s scaledClock) Now() time.Time {
	return s.began.Add(time.Duration(float64(time.Since(s.began)) * s.factor))
}

// AfterFunc rounds up, so that f never sees a time before it was due.
func (s scaledClock) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(s.real(d), f)
	return func() { t.Stop() }
}

// real is how long a delay of the world takes on the wall clock.
func (s scaledClock) real(d time.Duration) time.Duration {
	scaled := math.Ceil(float64(max(d, 0))/s.factor) + 1
	if scaled >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(scaled)
}

// onTheWall is how long a delay takes on the wall clock, for what only it can time, such as the deadlines of sockets.
func onTheWall(clock Clock, d time.Duration) time.Duration {
	if scaled, ok := clock.(scaledClock); ok {
		return scaled.real(d)
	}
	return d
}

// speed is how many times as fast as the wall clock a clock runs; 0 for one that does not run by itself.
func speed(clock Clock) float64 {
	switch clock := clock.(type) {
	case realClock:
		return 1
	case scaledClock:
		return clock.factor
	}
	return 0
}
