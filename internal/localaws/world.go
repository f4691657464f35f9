package localaws

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// World reads the ground truth: what is, as opposed to what Describe calls show. It is valid only while the world is
// locked: inside Cloud.Look, or a hook.
type World struct{ c *Cloud }

// Look calls f with the world locked.
func (c *Cloud) Look(f func(World)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(World{c})
}

// InstanceInfo is the truth about one instance.
type InstanceInfo struct {
	ID, Account, Region                       string
	State                                     string
	StateReason                               string // AWS's code, "" while there is none
	AZ, SubnetID, VpcID, PrivateIP            string
	ImageID, InstanceType                     string
	ClientToken, ReservationID                string
	Tags                                      map[string]string
	Launched, Terminated                      time.Time // Terminated is zero while it is not
	Ran                                       time.Time // until when it ran; zero where it runs, or never did
	Version                                   string    // of its application
	AppStatus                                 int       // what its application answers now: an HTTP status, AppRefuses, AppHangs, AppUnreachable
	Impaired, ProtectedFromTermination, Alive bool      // Alive: pending or running
	Surplus                                   bool      // nobody asked for it: launched by Fault.Twice
	Volumes                                   []VolumeInfo
}

// Instances are all instances that can still be described, terminated ones included, by id.
func (w World) Instances() []InstanceInfo {
	out := make([]InstanceInfo, 0, len(w.c.instances))
	for _, in := range w.c.instances {
		out = append(out, in.info())
	}
	slices.SortFunc(out, func(a, b InstanceInfo) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Instance is one of them.
func (w World) Instance(id string) (InstanceInfo, bool) {
	in, ok := w.c.instances[id]
	if !ok {
		return InstanceInfo{}, false
	}
	return in.info(), true
}

func (in *instance) info() InstanceInfo {
	return InstanceInfo{
		ID: in.id, Account: in.realm.account, Region: in.realm.region,
		State: in.state, StateReason: in.stateReason.Code,
		AZ: in.az, SubnetID: in.subnetID, VpcID: in.vpcID, PrivateIP: in.privateIP,
		ImageID: in.imageID, InstanceType: in.instanceType,
		ClientToken: in.clientToken, ReservationID: in.reservation.id,
		Tags: maps.Clone(in.tags), Launched: in.launched, Terminated: in.terminatedAt, Ran: in.ranUntil(),
		Version: in.app.settings.version, AppStatus: in.answer(),
		Impaired: !in.impairedSince.IsZero(), ProtectedFromTermination: in.protectTerminate, Surplus: in.surplus,
		Alive: in.state == statePending || in.state == stateRunning, Volumes: in.volumeInfos(),
	}
}

// ranUntil is when the instance left the state running last; zero where it runs, or never did.
func (in *instance) ranUntil() (until time.Time) {
	for i, past := range in.history {
		if i > 0 && in.history[i-1].state == stateRunning {
			until = past.since
		}
	}
	if in.state == stateRunning {
		return time.Time{}
	}
	return until
}

// Instances is World.Instances of this moment.
func (c *Cloud) Instances() []InstanceInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return World{c}.Instances()
}

// Instance is World.Instance of this moment.
func (c *Cloud) Instance(id string) (InstanceInfo, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return World{c}.Instance(id)
}
