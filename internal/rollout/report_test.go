package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What is said of a situation: which of Ready, Reconciling and Stalled is True and why, which of the others are, and a part
// of the message. kstatus and Argo CD read the first three; people read the message.
func TestConditions(t *testing.T) {
	phase := func(p Phase) change { return spec(func(s *Spec) { s.Phase = p }) }
	sick := func(id string) change {
		return func(in *Input) {
			for _, p := range in.World.Pools {
				for i := range p.Members {
					if p.Members[i].Server == id {
						p.Members[i].State, p.Members[i].Reason = MemberUnhealthy, "502"
					}
				}
			}
		}
	}
	booting := func(id string) change { return server(id, func(s *Server) { s.State = StatePending }) }
	verdict := revision("2", func(r *Revision) { r.Verdict = Verdict{Reason: ReasonPromotionFailed, Why: "version 2 was sick"} })
	unrecorded := spec(func(s *Spec) { s.Version, s.Target = "3", "" })
	unresolved := all(unrecorded, spec(func(s *Spec) { s.Unresolved = Problem{Reason: ReasonImageNotFound, Message: "there is no ami-3"} }))
	gone := pool("edge", func(p *Pool) { p.Err, p.Missing, p.Members = "no such load balancer", true, nil })
	full := revision("1", func(r *Revision) {
		for i, where := range []string{"a", "b"} {
			for j, kind := range []string{"large", "small"} {
				a := failed(closed(2*i+j+1, where, time.Minute, []int{0}), FailureCapacity)
				a.Type = kind
				r.Launches = append(r.Launches, a)
			}
		}
	})
	noServer1 := server("i-1", func(s *Server) { s.State = StateTerminated })
	for name, c := range map[string]struct {
		in     change
		head   string // the one of Ready, Reconciling, Stalled that is True, and its reason
		others string // the True ones of the other five, with their reasons
		says   string
	}{
		"settled": {settled, "Ready Complete", "Promoted(Complete)", "version 1 is stable and serves production"},
		"settled, and another version under RolledBack": {
			all(settled, unrecorded, phase(PhaseRolledBack)), "Ready RolledBack", "",
			"version 1 is stable and serves production; version 3 is not deployed while the phase is RolledBack: set spec.phase to Preview to deploy it",
		},
		"settled, sick": {all(settled, sick("i-1")), "Reconciling Unhealthy", "Promoted(Complete)",
			"waiting for production to be whole: 1 of 2 servers of version 1 are healthy in edge (i-1 in edge: unhealthy, 502)"},
		"settled, pool unread": {all(settled, unreadable("edge")), "Reconciling PoolUnreadable", "Promoted(Complete) Blind(PoolUnreadable)", "Throttling"},
		"settled, EC2 unread": {
			all(settled, blindEC2),
			"Reconciling ServersUnreadable",
			"Promoted(Complete) Blind(ServersUnreadable)",
			"RequestLimitExceeded",
		},
		"settled, retiring": {all(settled, func(in *Input) {
			in.World.Servers = append(in.World.Servers, aServer("i-9", "0", "a"))
		}), "Reconciling Retiring", "Promoted(Complete)", "1 server (i-9) of version 0 to be drained and in no pool for 30s"},
		"settled, one held beside": {
			all(settled, func(in *Input) { in.World.Servers = append(in.World.Servers, heldServer("i-9", "1")) }),
			"Ready Complete",
			"Promoted(Complete)",
			"",
		},
		"settled, pool gone": {
			all(settled, gone),
			"Stalled PoolNotFound",
			"Promoted(Complete) Blind(PoolUnreadable)",
			"pool edge does not exist: no such load balancer; make it",
		},
		"settled, pool denied": {
			all(settled, unreadable("edge"), pool("edge", func(p *Pool) { p.ErrReason = ReasonAccessDenied })),
			"Stalled AccessDenied",
			"Promoted(Complete) Blind(PoolUnreadable)",
			"pool edge cannot be used: ",
		},
		"settled, EC2 denied": {
			all(settled, blindEC2, func(in *Input) { in.World.ServersReason = ReasonAccessDenied }),
			"Stalled AccessDenied",
			"Promoted(Complete) Blind(ServersUnreadable)",
			"EC2 cannot be read: ",
		},
		"settled, more asked for": {
			all(settled, spec(func(s *Spec) { s.Replicas = 3 })),
			"Reconciling Launching",
			"Promoted(Complete)",
			"2 of 3 servers of version 1 are healthy in edge",
		},
		"settled, short, record lost": {
			all(settled, spec(func(s *Spec) { s.Replicas = 3 }), revision("1", func(r *Revision) { r.Lost = true })),
			"Stalled RevisionLost",
			"Promoted(Complete)",
			"nothing can be launched for it and 1 of 3 servers are missing: deploy a version to take its place",
		},
		"settled, pool not in use": {
			all(settled, pool("preview", func(p *Pool) { p.NotInUse = true })),
			"Stalled PoolNotInUse",
			"Promoted(Complete)",
			"used by no listener or rule",
		},
		"newer version not looked up": {all(settled, unrecorded), "Reconciling Resolving", "", "version 3 to be looked up and recorded"},
		"newer version not found":     {all(settled, unresolved), "Stalled ImageNotFound", "", "there is no ami-3"},
		"nothing there yet": {
			func(in *Input) { *in = newCase(first, unrecorded); in.Memory, in.World.Servers = Memory{}, nil },
			"Reconciling Resolving",
			"",
			"Recording",
		},
		"refused": {
			spec(func(s *Spec) {
				s.Refused = Problem{Reason: ReasonPoolHeldByAnother, Message: "pool edge is shop/other's"}
			}),
			"Stalled PoolHeldByAnother",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning)",
			"pool edge is shop/other's",
		},
		"paused": {
			spec(func(s *Spec) { s.Paused = true }),
			"Reconciling Paused",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning) AwaitingDecision(Paused)",
			"spec.paused",
		},
		"former servers": {
			func(in *Input) {
				in.World.Former, in.World.Servers, in.World.FormerOwners = in.World.Servers, nil, []string{"uid-0"}
			},
			"Stalled FormerServersFound",
			"",
			"add `adopt: {formerOwner: uid-0}`",
		},
		"former servers, no owner": {
			func(in *Input) { in.World.Former, in.World.Servers = in.World.Servers, nil },
			"Stalled FormerServersFound",
			"",
			"formerOwner: <uid>",
		},
		"former, adopt names none": {
			func(in *Input) { in.World.Former, in.World.Servers, in.Spec.Adopt = in.World.Servers, nil, true },
			"Stalled FormerServersFound",
			"",
			"spec.adopt takes over none of them",
		},
		"adopting": {
			func(in *Input) { in.World.Adoptable, in.World.Servers, in.Memory = in.World.Servers, nil, Memory{} },
			"Reconciling Adopting",
			"",
			"to show our tags",
		},
		"adopting, one is on another port": {
			all(pool("edge", func(p *Pool) { p.Members[1].OtherPort = true }),
				func(in *Input) { in.World.Adoptable, in.World.Servers, in.Memory = in.World.Servers, nil, Memory{} }),
			"Stalled PoolUnsupported",
			"",
			"nothing is adopted: i-2 is in edge on another port",
		},
		"adopted, not shown yet": {
			func(in *Input) {
				in.World.Servers, in.Spec.FormerOwner = nil, "uid-0"
				in.Memory = Memory{Revisions: []Revision{{Name: "adopted", Version: "adopted", Lost: true, Adopted: []string{"i-8"}, AdoptedAt: epoch.Add(-time.Minute)}}}
			},
			"Reconciling Adopting",
			"",
			"to show our tags",
		},
		"adopting, pool unread": {
			all(unreadable("preview"), func(in *Input) { in.World.Adoptable, in.World.Servers, in.Memory = in.World.Servers, nil, Memory{} }),
			"Reconciling Adopting",
			"Blind(PoolUnreadable)",
			"pool preview to be read, before servers are adopted that may be in it: Throttling",
		},

		"launching": {
			all(booting("i-3"), booting("i-4")),
			"Reconciling Launching",
			"RollbackAvailable(StandbyRunning)",
			"2 of 2 servers of version 2 to be healthy in Preview",
		},
		"launching for too long": {
			all(booting("i-3"), since("launch/web-2", 15*time.Minute)),
			"Stalled LaunchTimeout",
			"RollbackAvailable(StandbyRunning)",
			"1 of 2 servers run after 15m0s",
		},
		"previewing": {sick("i-3"), "Reconciling Previewing", "RollbackAvailable(StandbyRunning)", "i-3 in preview: unhealthy, 502"},
		"previewing for too long": {
			all(sick("i-3"), since("preview/web-2", 10*time.Minute)),
			"Stalled HealthTimeout",
			"RollbackAvailable(StandbyRunning)",
			"1 of 2 servers are healthy in Preview after 10m0s (i-3 in preview: unhealthy, 502); production is untouched",
		},
		"preview": {
			same,
			"Ready PreviewReady",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning) AwaitingDecision(PreviewReady)",
			"set spec.phase to Live to promote it",
		},
		"preview without a pool": {
			func(in *Input) { in.World.Pools = in.World.Pools[:1] },
			"Ready PreviewReady",
			"PreviewReady(HealthNotChecked) RollbackAvailable(StandbyRunning) AwaitingDecision(PreviewReady)",
			"",
		},
		"preview, production sick": {
			sick("i-1"),
			"Reconciling Unhealthy",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning)",
			"1 of 2 servers of version 1",
		},
		"preview, test pool unread": {
			unreadable("preview"),
			"Reconciling Previewing",
			"RollbackAvailable(StandbyRunning) Blind(PoolUnreadable)",
			"preview cannot be read: Throttling",
		},
		"preview of the first": {
			first,
			"Ready PreviewReady",
			"PreviewReady(PreviewReady) AwaitingDecision(PreviewReady)",
			"version 2 is ready in Preview",
		},
		"preview, a lost stable": {
			all(revision("1", func(r *Revision) { r.Lost = true }), noServer1, members("edge", "i-2"), spec(func(s *Spec) { s.MinHealthyPercent = 50 })),
			"Ready PreviewReady",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning) AwaitingDecision(PreviewReady)",
			"",
		},
		"ready, but to be promoted": {
			all(promoting, members("edge", "i-1", "i-2")),
			"Reconciling Promoting",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning)",
			"i-3 is not in edge yet",
		},
		"promoting": {
			all(promoting, sick("i-3")),
			"Reconciling Promoting",
			"RollbackAvailable(StandbyRunning)",
			"1 of 2 are (i-3 in edge: unhealthy, 502)",
		},
		"promoting, one has died": {
			all(promoting, server("i-3", func(s *Server) { s.State = StateTerminated })),
			"Reconciling Promoting",
			"RollbackAvailable(StandbyRunning)",
			"1 of the 2 servers that were healthy in Preview do not run any more",
		},
		"promoting, more asked for": {
			all(promoting, spec(func(s *Spec) { s.Replicas = 3 })),
			"Reconciling Promoting",
			"",
			"the promotion began with 2 servers and 3 are asked for now",
		},
		"at the gate": {
			promoting,
			"Reconciling Promoting",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning)",
			"the next good health reading",
		},
		"switching, blind": {
			all(promoting, revision("2", func(r *Revision) { r.GateAt = epoch }), unreadable("preview")),
			"Reconciling Switching",
			"RollbackAvailable(StandbyRunning) Blind(PoolUnreadable)",
			"a look at every pool",
		},
		"late, and the first": {
			all(promoting, first, members("edge", "i-3"), since("promoting/web-2", time.Second), revision("2", func(r *Revision) { r.Promotion.StartedAt = epoch.Add(-time.Hour) })),
			"Stalled PromotionFailed",
			"PreviewReady(PreviewReady)",
			"no stable version to put in its place",
		},

		"Live": {
			live,
			"Ready Live",
			"PreviewReady(Live) Promoted(Live) RollbackAvailable(StandbyRunning)",
			"version 2 is Live; version 1 stands by",
		},
		"Live, the first": {
			all(live, first, members("edge", "i-3", "i-4")),
			"Ready Live",
			"PreviewReady(Live) Promoted(Live)",
			"set spec.phase to Complete to make it the stable one",
		},
		"Live, sick": {
			all(live, sick("i-3")),
			"Reconciling Unhealthy",
			"PreviewReady(Live) Promoted(Live) RollbackAvailable(StandbyRunning)",
			"1 of 2 servers of version 2 are healthy in edge",
		},
		"Live, standby short":       {all(live, noServer1, full), "Ready Live", "PreviewReady(Live) Promoted(Live)", ""},
		"Live, newer not looked up": {all(live, unrecorded), "Reconciling Resolving", "RollbackAvailable(StandbyRunning)", "version 3 to be looked up and recorded"},
		"complete refused": {
			all(live, sick("i-3"), phase(PhaseComplete)),
			"Stalled Unhealthy",
			"PreviewReady(Live) Promoted(Live) RollbackAvailable(StandbyRunning)",
			"is refused while the candidate is not whole: 1 of 2",
		},
		"complete, test pool blind": {
			all(live, unreadable("preview"), phase(PhaseComplete)),
			"Stalled Unhealthy",
			"PreviewReady(Live) Promoted(Live) RollbackAvailable(StandbyRunning) Blind(PoolUnreadable)",
			"pool preview cannot be read",
		},
		"completing": {
			all(live, phase(PhaseComplete)),
			"Reconciling Completing",
			"RollbackAvailable(StandbyRunning)",
			"the former version to be retired",
		},

		"rolling back": {
			all(live, phase(PhaseRolledBack), since("restore/web-1", time.Second)),
			"Reconciling RollingBack",
			"RollbackAvailable(StandbyRunning)",
			"stable version 1 to be healthy in production again",
		},
		"rolling back for long": {
			all(live, phase(PhaseRolledBack), since("restore/web-1", time.Minute)),
			"Stalled Unsafe",
			"RollbackAvailable(StandbyRunning)",
			"nobody is taken out of production, because stable version 1",
		},
		"rolling back, with an NLB": {
			all(live, phase(PhaseRolledBack), since("restore/web-1", time.Minute), pool("edge", func(p *Pool) { p.Kind = KindNLB })),
			"Reconciling RollingBack",
			"RollbackAvailable(StandbyRunning)",
			"",
		},
		"undoing": {
			all(promoting, verdict),
			"Stalled PromotionFailed",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning)",
			"production is being given back to the stable version. Declare another version",
		},
		"rolled back": {
			all(phase(PhaseRolledBack)),
			"Ready RolledBack",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning) AwaitingDecision(RolledBack)",
			"the candidate was rejected and waits on the test pool",
		},
		"rolled back, and another version": {
			all(phase(PhaseRolledBack), unrecorded),
			"Ready RolledBack",
			"RollbackAvailable(StandbyRunning) AwaitingDecision(RolledBack)",
			"waits on the test pool; version 3 is not deployed while the phase is RolledBack: set spec.phase to Preview to deploy it",
		},
		"on the way back, and another version, of which the phase is not": {
			all(live, phase(PhaseRolledBack), unrecorded, spec(func(s *Spec) { s.PhaseFor = "2" })),
			"Reconciling RollingBack",
			"RollbackAvailable(StandbyRunning)",
			"a look that shows stable version 1 in production",
		},
		"in Preview, paused, and another version": {
			all(unrecorded, spec(func(s *Spec) { s.Paused = true })),
			"Reconciling Paused",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning) AwaitingDecision(Paused)",
			"",
		},
		"rolled back, all dead": {
			all(phase(PhaseRolledBack), without("i-3", "i-4")),
			"Ready RolledBack",
			"RollbackAvailable(StandbyRunning) AwaitingDecision(RolledBack)",
			"none of its servers runs",
		},
		"rolled back, sick": {
			all(phase(PhaseRolledBack), sick("i-1")),
			"Reconciling Unhealthy",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning)",
			"1 of 2 servers of version 1",
		},
		"rejected": {
			all(phase(PhaseLive), verdict),
			"Stalled PromotionFailed",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning)",
			"version 2 was sick; production is served by the stable version. Declare another version",
		},
		"rejected, overridden": {all(promoting, verdict, sick("i-3"), spec(func(s *Spec) {
			s.Override = Override{Revision: "web-2", Phase: PhaseLive, ExpiresAt: epoch.Add(time.Hour)}
		})), "Stalled PromotionFailed", "RollbackAvailable(StandbyRunning)", "spec.override keeps it where it is"},
		"back to stable, on the way": {
			all(live, spec(func(s *Spec) { s.Version, s.Target = "1", "web-1" })),
			"Reconciling RollingBack",
			"",
			"a look that shows stable version 1 in production",
		},
		"the one before is kept": {kept, "Ready Complete", "Promoted(Complete)", "version 2 is stable"},

		"deleted, retained": {
			spec(func(s *Spec) { s.Deleting = true }),
			"Reconciling Deleting",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning)",
			"Deleting",
		},
		"deleted, EC2 unread": {
			all(blindEC2, spec(func(s *Spec) { s.Deleting, s.TerminateOnDelete = true, true })),
			"Stalled ServersUnreadable",
			"Blind(ServersUnreadable)",
			"nobody knows what is left to terminate",
		},
		"deleted, pool unread for now": {
			all(unreadable("edge"), spec(func(s *Spec) { s.Deleting, s.TerminateOnDelete = true, true })),
			"Reconciling Deleting",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning) Blind(PoolUnreadable)",
			"pool edge cannot be read: Throttling",
		},
		"deleted, pool unread for long": {
			all(unreadable("edge"), since("unread/edge", time.Minute), spec(func(s *Spec) { s.Deleting, s.TerminateOnDelete = true, true })),
			"Stalled PoolUnreadable",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning) Blind(PoolUnreadable)",
			"the deletion waits, because pool edge cannot be read",
		},
		"deleted, pool may not be read": {
			all(unreadable("edge"), pool("edge", func(p *Pool) { p.ErrReason = ReasonAccessDenied }),
				spec(func(s *Spec) { s.Deleting, s.TerminateOnDelete = true, true })),
			"Stalled AccessDenied",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning) Blind(PoolUnreadable)",
			"set spec.deletionPolicy to Retain",
		},
		"deleted, pool gone": {
			all(unreadable("edge"), pool("edge", func(p *Pool) { p.Missing = true }),
				spec(func(s *Spec) { s.Deleting, s.TerminateOnDelete = true, true })),
			"Reconciling Deleting",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning) Blind(PoolUnreadable)",
			"AWS to say for 5m0s that pool edge does not exist",
		},
		"deleted, adopted servers not shown yet": {
			func(in *Input) {
				in.Spec.Deleting, in.Spec.TerminateOnDelete, in.World.Servers = true, true, nil
				in.Memory = Memory{Revisions: []Revision{{Name: "adopted", Version: "adopted", Lost: true, Adopted: []string{"i-8"}, AdoptedAt: epoch.Add(-time.Minute)}}}
			},
			"Reconciling Deleting",
			"",
			"EC2 to show i-8 of version adopted",
		},
		"deleted, a reading shows none of the servers": {
			func(in *Input) {
				in.Spec.Deleting, in.Spec.TerminateOnDelete, in.World.Servers = true, true, nil
				in.Memory.Revisions[1].Launches = []Attempt{{Token: "t", Places: []int{0, 1}, Servers: []string{"i-3", "i-4"}, At: epoch.Add(-time.Hour)}}
			},
			"Reconciling Deleting",
			"",
			"EC2 to show i-3, i-4 of version 2, or to leave them out for 5m0s",
		},
		"deleted, a reading shows none of the servers, which were adopted long ago": {
			func(in *Input) {
				in.Spec.Deleting, in.Spec.TerminateOnDelete, in.World.Servers = true, true, nil
				in.Memory.Revisions[1].Adopted, in.Memory.Revisions[1].AdoptedAt = []string{"i-3", "i-4"}, epoch.Add(-time.Hour)
			},
			"Reconciling Deleting",
			"",
			"EC2 to show i-3, i-4 of version 2, or to leave them out for 5m0s",
		},
		"deleted, class gone": {
			spec(func(s *Spec) {
				s.Deleting, s.TerminateOnDelete, s.Refused = true, true, Problem{Reason: ReasonClassNotFound, Message: "no class"}
			}),
			"Stalled ClassNotFound",
			"PreviewReady(PreviewReady) RollbackAvailable(StandbyRunning)",
			"no class",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decide(newCase(c.in))
			(&world{t: t}).checkReport(d)
			var head string
			var others []string
			for i, condition := range d.Report.Conditions {
				switch {
				case !condition.True:
				case i < 3:
					head = string(condition.Type) + " " + condition.Reason
				default:
					others = append(others, string(condition.Type)+"("+condition.Reason+")")
				}
			}
			if head != c.head || strings.Join(others, " ") != c.others || !strings.Contains(d.Report.Message, c.says) {
				t.Errorf("%s, %s: %s\nwant %s, %s: …%s…", head, strings.Join(others, " "), d.Report.Message, c.head, c.others, c.says)
			}
		})
	}
}

func heldServer(id, version string) Server {
	s := aServer(id, version, "a")
	s.Hold = true
	return s
}

// RollbackAvailable says all that a person must know before relying on it.
func TestRollbackAvailableSays(t *testing.T) {
	for name, c := range map[string]struct {
		in   change
		is   bool
		says string
	}{
		"standby":       {live, true, "2 of 2 servers of stable version 1 run; they are in no pool, so their health is not known"},
		"in production": {same, true, "2 of 2 servers of stable version 1 run"},
		"standby short": {all(live, without("i-1")), false, "1 of 2 servers of stable version 1 run"},
		"standby lost": {
			all(live, revision("1", func(r *Revision) { r.Lost = true })),
			true,
			"its ControllerRevision is gone, so lost servers are not replaced",
		},
		"standby not filled": {all(live, without("i-1"), spec(func(s *Spec) { s.MaxServers = 3 })), false, "would exceed maxServersPerRelease 3"},
		"none":               {first, false, "there is no stable version yet"},
		"complete":           {settled, false, "the one before it is gone"},
		"kept":               {kept, false, "version 1 is kept: set spec.phase to Live to be able to go back to it"},
	} {
		t.Run(name, func(t *testing.T) {
			got := conditionOf(Decide(newCase(c.in)), CondRollbackAvailable)
			if got.True != c.is || !strings.Contains(got.Message, c.says) {
				t.Errorf("%t: %s\nwant %t: …%s…", got.True, got.Message, c.is, c.says)
			}
		})
	}
}

// At most three sick servers are named, in the order of pools and servers.
func TestSickServersAreNamed(t *testing.T) {
	many := func(in *Input) {
		in.Spec.Replicas = 6
		for _, id := range []string{"i-5", "i-6", "i-7", "i-8"} {
			in.World.Servers = append(in.World.Servers, aServer(id, "2", "a"))
		}
		members("preview")(in)
	}
	message := Decide(newCase(many)).Report.Message
	if want := "(i-3 is not in preview yet; i-4 is not in preview yet; i-5 is not in preview yet and 3 more)"; !strings.Contains(message, want) {
		t.Errorf("%q does not say %q", message, want)
	}
}

// Fleets are counted, and every server of ours is in one of them.
func TestFleetReports(t *testing.T) {
	more := func(in *Input) {
		in.World.Servers = append(in.World.Servers, aServer("i-9", "0", "a"), heldServer("i-8", "2"))
		members("preview", "i-3")(in)
	}
	r := Decide(newCase(more)).Report
	check := func(got *FleetReport, want FleetReport) {
		t.Helper()
		if got == nil || got.Revision != want.Revision || got.Desired != want.Desired || got.Running != want.Running || got.Healthy != want.Healthy ||
			!slices.Equal(got.Servers, want.Servers) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	check(r.Stable, FleetReport{Revision: "web-1", Desired: 2, Running: 2, Healthy: 2, Servers: []string{"i-1", "i-2"}})
	check(r.Candidate, FleetReport{Revision: "web-2", Desired: 2, Running: 2, Healthy: 1, Servers: []string{"i-3", "i-4", "i-8"}})
	if len(r.Retired) != 1 {
		t.Fatalf("retired fleets %+v, want one", r.Retired)
	}
	check(&r.Retired[0], FleetReport{Revision: "web-0", Running: 1, Servers: []string{"i-9"}})
	standby := Decide(newCase(live)).Report.Stable
	check(standby, FleetReport{Revision: "web-1", Desired: 2, Running: 2, Servers: []string{"i-1", "i-2"}}) // in no pool: health unknown
}

// One line is the message: what is wrong, or what is the case, or what is waited for.
func TestMessageHasOneLine(t *testing.T) {
	for _, in := range []Input{newCase(), newCase(live), newCase(promoting), newCase(settled, unreadable("edge"), unreadable("preview"))} {
		if m := Decide(in).Report.Message; strings.Contains(m, "\n") || m == "" {
			t.Errorf("message %q", m)
		}
	}
}

// What production lacks is told in every stage, whatever else there is to say of the Release.
func TestLackOfProduction(t *testing.T) {
	in := func(id string, state MemberState) change {
		return pool("edge", func(p *Pool) {
			for i := range p.Members {
				if p.Members[i].Server == id {
					p.Members[i].State = state
				}
			}
		})
	}
	sick := func(id string) change { return in(id, MemberUnhealthy) }
	verdict := revision("2", func(r *Revision) { r.Verdict = Verdict{Reason: ReasonPromotionFailed, Why: "version 2 was sick"} })
	phase := func(p Phase) change { return spec(func(s *Spec) { s.Phase = p }) }
	second := func(members ...string) change {
		return func(in *Input) { in.World.Pools = append(in.World.Pools, aPool("api", UseProduction, members...)) }
	}
	const unknown = -1
	for name, c := range map[string]struct {
		in    change
		stage Stage
		want  int
	}{
		"well":                            {all(), StagePreview, 0},
		"sick in Preview":                 {sick("i-1"), StagePreview, 1},
		"sick while preparing":            {all(sick("i-1"), sick("i-2"), members("preview")), StagePreparing, 2},
		"sick after a verdict":            {all(phase(PhaseLive), verdict, sick("i-1")), StageRolledBack, 1},
		"sick while paused":               {all(sick("i-1"), spec(func(s *Spec) { s.Paused = true })), StagePaused, 1},
		"sick while another is looked up": {all(settled, sick("i-1"), spec(func(s *Spec) { s.Version, s.Target = "3", "" })), StageSettled, 1},
		"sick while it completes":         {all(live, phase(PhaseComplete), sick("i-3")), StageCompleting, 1},
		"sick and Live":                   {all(live, sick("i-3")), StageLive, 1},
		"sick and settled":                {all(settled, members("edge")), StageSettled, 2},
		"sick while it is refused":        {all(settled, sick("i-1"), spec(func(s *Spec) { s.Refused = Problem{Reason: ReasonPoolHeldByAnother} })), StageRefused, 1},
		"a promotion, candidate not yet":  {all(promoting, in("i-3", MemberRegistering), in("i-4", MemberRegistering)), StagePromoting, 0},
		"a promotion, stable falls ill":   {all(promoting, sick("i-1"), sick("i-2"), sick("i-3")), StagePromoting, 1},
		"after the gate":                  {all(promoting, sick("i-1"), revision("2", func(r *Revision) { r.GateAt = epoch })), StageSwitching, 0},
		"the worst pool counts":           {second("i-1"), StagePreview, 1},
		"half is enough":                  {all(sick("i-1"), spec(func(s *Spec) { s.MinHealthyPercent = 50 })), StagePreview, 0},
		"the first, on its way":           {all(first, members("edge"), phase(PhaseLive)), StagePromoting, unknown},
		"the first, Live":                 {all(live, first, members("edge", "i-3")), StageLive, 1},
		"a pool unread":                   {unreadable("edge"), StagePreview, unknown},
		"a pool unread, and another sick": {all(unreadable("edge"), second("i-1")), StagePreview, 1},
		"AWS cannot tell of a server":     {in("i-1", MemberUnknown), StagePreview, unknown},
		"EC2 unread":                      {blindEC2, StagePreparing, unknown},
		"former servers": {func(in *Input) {
			in.World.Former, in.World.Servers, in.World.FormerOwners = in.World.Servers, nil, []string{"uid-0"}
		}, StageEstranged, unknown},
		"deleted": {all(members("edge"), spec(func(s *Spec) { s.Deleting = true })), StageDeleting, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			r := Decide(newCase(c.in)).Report
			got := unknown
			if r.Lack != nil {
				got = *r.Lack
			}
			if got != c.want || r.Stage != c.stage {
				t.Errorf("%s lacks %d, want %d in %s", r.Stage, got, c.want, c.stage)
			}
		})
	}
}

func TestWhoIsStuck(t *testing.T) {
	stalled := func(stage Stage, reason string) Report {
		return Report{Stage: stage, Conditions: []Condition{{Type: CondReady}, {Type: CondStalled, True: reason != "", Reason: reason}}}
	}
	for _, test := range []struct {
		stage  Stage
		reason string
		want   bool
	}{
		{StagePreparing, "", false},
		{StagePreparing, ReasonLaunchFailed, true},
		{StagePreview, ReasonHealthTimeout, true},
		{StagePromoting, ReasonInvalidOverride, false}, // it goes on
		{StagePromoting, ReasonPromotionFailed, true},
		{StageSwitching, ReasonUnsafe, false}, // stable leaves as soon as it may
		{StageRollingBack, ReasonUnsafe, false},
		{StageSettled, "", false},
	} {
		if got := stalled(test.stage, test.reason).Stuck(); got != test.want {
			t.Errorf("%s, %q: %t", test.stage, test.reason, got)
		}
	}
}
