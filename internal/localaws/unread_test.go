package localaws

import (
	"fmt"
	"slices"
	"testing"
)

// wantSecondReads fails the test unless it read the world after its last write to each service: by a call that reads, or by what sim
// sees of the world itself. A test that reads it in another way, such as by the requests of a data plane, says so by looked.
func (s *sim) wantSecondReads() {
	s.t.Helper()
	if s.t.Failed() {
		return // it may have ended before it came to read
	}
	for _, e := range Unread(s.Cloud.Ledger()) {
		if e.Seq > s.seen.Load() {
			s.t.Errorf("nothing reads the world after its last write to %s: %s", e.Call.Service, e)
		}
	}
}

// looked notes that the test sees the world as it is now.
func (s *sim) looked() {
	if s.seen != nil { // of a sim that was not made by newSim nobody asks
		s.seen.Store(s.LastSeq())
	}
}

// The ways to see the world itself, without a call, of which each is noted.

func (s *sim) Instances() []InstanceInfo { s.looked(); return s.Cloud.Instances() }

func (s *sim) Instance(id string) (InstanceInfo, bool) { s.looked(); return s.Cloud.Instance(id) }

func (s *sim) Pools() []PoolInfo { s.looked(); return s.Cloud.Pools() }

func (s *sim) Pool(nameOrARN string) (PoolInfo, bool) { s.looked(); return s.Cloud.Pool(nameOrARN) }

func (s *sim) State() State { s.looked(); return s.Cloud.State() }

func (s *sim) Look(f func(World)) { s.looked(); s.Cloud.Look(f) }

func (s *sim) Ledger() []Entry { s.looked(); return s.Cloud.Ledger() }

func (s *sim) LedgerSince(seq uint64) []Entry { s.looked(); return s.Cloud.LedgerSince(seq) }

// realm is where everything is, for tests that hold Cloud.mu.
func (s *sim) realm(key realmKey) *realm {
	if s.seen != nil {
		s.seen.Store(World{s.Cloud}.LastSeq())
	}
	return s.Cloud.realm(key)
}

// wantAlive fails unless that many servers have not ended, as DescribeInstances shows them to somebody whom no policy binds.
func (s *sim) wantAlive(want int) {
	s.t.Helper()
	free := &sim{Cloud: s.Cloud, t: s.t, ctx: s.ctx}
	free.use(s.config("AKIDREADER", "us-east-1"))
	if got := free.find("instance-state-name", statePending, stateRunning, stateStopping, stateStopped); len(got) != want {
		s.t.Errorf("%d servers are alive, want %d", len(got), want)
	}
}

func TestUnread(t *testing.T) {
	call := func(c CallEntry) Entry { return Entry{Account: "1", Region: "r", Call: &c} }
	write := func(service, action string) Entry {
		return call(CallEntry{Service: service, Action: action, Mutates: true})
	}
	reads := func(service, action string) Entry { return call(CallEntry{Service: service, Action: action}) }
	read := func(service string) Entry {
		return reads(service, map[string]string{"ec2": "DescribeInstances", "ssm": "GetParameter"}[service])
	}
	failed := func(e Entry, code string) Entry {
		e.Call.Status, e.Call.Code = 400, code
		return e
	}
	elsewhere := read("ec2")
	elsewhere.Region = "s"
	lost := read("ec2")
	lost.Call.ReplyLost = true
	late := failed(write("ec2", "RunInstances"), "InternalError")
	late.Call.Effects = []string{"launched"}
	abandoned := write("ec2", "RunInstances")
	abandoned.Call.Abandoned = true
	launch := write("ec2", "RunInstances")
	for name, tc := range map[string]struct {
		entries []Entry
		want    []string
	}{
		"nothing":                      {nil, nil},
		"a write alone":                {[]Entry{launch}, []string{"RunInstances"}},
		"a read before":                {[]Entry{read("ec2"), launch}, []string{"RunInstances"}},
		"a read after":                 {[]Entry{launch, read("ec2")}, nil},
		"a read between":               {[]Entry{launch, read("ec2"), write("ec2", "CreateTags")}, []string{"CreateTags"}},
		"not there":                    {[]Entry{launch, failed(read("ec2"), "InvalidInstanceID.NotFound")}, nil},
		"a refused read":               {[]Entry{launch, failed(read("ec2"), "UnauthorizedOperation")}, []string{"RunInstances"}},
		"a lost answer":                {[]Entry{launch, lost}, []string{"RunInstances"}},
		"a read elsewhere":             {[]Entry{launch, elsewhere}, []string{"RunInstances"}},
		"a read of something else":     {[]Entry{launch, read("ssm")}, []string{"RunInstances"}},
		"a refused write":              {[]Entry{failed(write("ec2", "RunInstances"), "InvalidAMIID.NotFound")}, nil},
		"one that never ran":           {[]Entry{abandoned}, nil},
		"an error after the effect":    {[]Entry{late}, []string{"RunInstances"}},
		"health shows servers":         {[]Entry{launch, reads("elbv2", "DescribeTargetHealth")}, nil},
		"rules show no servers":        {[]Entry{launch, reads("elbv2", "DescribeRules")}, []string{"RunInstances"}},
		"a queue shows no servers":     {[]Entry{launch, reads("sqs", "GetQueueUrl")}, []string{"RunInstances"}},
		"zones show no servers":        {[]Entry{launch, reads("ec2", "DescribeAvailabilityZones")}, []string{"RunInstances"}},
		"servers show no registration": {[]Entry{write("elb", "RegisterInstancesWithLoadBalancer"), read("ec2")}, []string{"RegisterInstancesWithLoadBalancer"}},
		"images show no servers":       {[]Entry{launch, reads("ec2", "DescribeImages")}, []string{"RunInstances"}},
		"members show servers":         {[]Entry{launch, reads("elb", "DescribeLoadBalancers")}, nil},
		"balancers show no servers":    {[]Entry{launch, reads("elbv2", "DescribeLoadBalancers")}, []string{"RunInstances"}},
		"groups show no attributes":    {[]Entry{write("elbv2", "ModifyTargetGroupAttributes"), reads("elbv2", "DescribeTargetGroups")}, []string{"ModifyTargetGroupAttributes"}},
		"events show servers":          {[]Entry{launch, write("sqs", "ReceiveMessage")}, nil},
		"two services":                 {[]Entry{write("ssm", "PutParameter"), launch}, []string{"PutParameter", "RunInstances"}},
		"a session":                    {[]Entry{write("sts", "AssumeRole")}, nil},
		"a change":                     {[]Entry{launch, {Change: &ChangeEntry{}}}, []string{"RunInstances"}},
	} {
		for i := range tc.entries {
			tc.entries[i].Seq = uint64(i + 1)
		}
		var got []string
		for _, e := range Unread(tc.entries) {
			got = append(got, e.Call.Action)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, fmt.Sprint(got), tc.want)
		}
	}
}

// TestEveryWriteIsShown: a write that no read shows would fail each test that makes it.
func TestEveryWriteIsShown(t *testing.T) {
	reads := map[string]bool{}
	for _, s := range allServices() {
		for name := range s.operations {
			reads[name], reads[s.name+":"+name] = true, true
		}
	}
	for _, s := range allServices() {
		for name, op := range s.operations {
			w := CallEntry{Service: s.name, Action: name, Mutates: op.mutates}
			if w.wrote() && !slices.ContainsFunc(shownBy, func(row shown) bool { return row.by(&w) }) {
				t.Errorf("shownBy has no row for %s of %s", name, s.name)
			}
		}
	}
	for _, row := range shownBy {
		for _, name := range row.reads {
			if !reads[name] {
				t.Errorf("%s is no operation", name)
			}
		}
	}
}
