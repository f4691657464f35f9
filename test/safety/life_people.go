package safety

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/test/e2e"
)

// The words of the acts.
var (
	versions = []string{"v1", "v2", "v3"}
	anyPhase = []string{"-", "Preview", "Live", "RolledBack", "Complete"}
	// whatFor is spec.phaseFor: the version, none, or another version.
	whatFor  = []string{"for", "any", "other"}
	ourPools = []string{edgePool, "api", testPool, "extra"}
	numbers  = []string{"0", "1", "2", "3"}
	onOff    = []string{"on", "off"}
)

// beginnings are where a life can begin: with nothing, v1 complete, v2 in Preview beside it, or Live.
var beginnings = []string{"nothing", "settled", previewName, "live"}

func (l *life) beginning(words []string) {
	switch words[0] {
	case "settled":
		l.w.Settled()
	case previewName:
		l.w.InPreview()
	case "live":
		l.w.Live()
	}
}

// people are what people do with a Release.
var people = []act{
	{"begin", 0, [][]string{beginnings}, (*life).beginning},
	{"deploy", 4, [][]string{versions, anyPhase, whatFor}, (*life).deploy},
	{"phase", 5, [][]string{anyPhase, whatFor}, (*life).phase},
	{"image", 2, [][]string{{"first", "second"}, {"same", "v2", "v3"}}, (*life).image},
	{"pause", 1, [][]string{onOff}, func(l *life, words []string) {
		l.edit("web", func(rel *v1alpha1.Release) { rel.Spec.Paused = words[0] == "on" })
	}},
	{"scale", 2, [][]string{{"1", "2", "3", "4"}}, func(l *life, words []string) {
		l.edit("web", func(rel *v1alpha1.Release) { rel.Spec.Replicas = int32(atoi(words[0])) })
	}},
	{"drop", 1, [][]string{ourPools}, (*life).drop},
	{"declare", 2, [][]string{ourPools, {"production", testPool}}, (*life).declare},
	{"health", 1, [][]string{{"1", "2", "3"}, {"0", "20", "70"}, {"1m", "10m"}}, (*life).health},
	{"promotion", 1, [][]string{{"1", "50", "67", "100"}, onOff}, func(l *life, words []string) {
		l.edit("web", func(rel *v1alpha1.Release) {
			rel.Spec.Promotion = v1alpha1.PromotionPolicy{MinHealthyPercent: int32(atoi(words[0])), AutoRollback: words[1] == "on"}
		})
	}},
	{"retention", 1, [][]string{{"0s", "1m", "1h"}}, func(l *life, words []string) {
		l.edit("web", func(rel *v1alpha1.Release) {
			rel.Spec.Retention.CompleteAfter = metav1.Duration{Duration: duration(words[0])}
		})
	}},
	{"hand-made", 1, [][]string{{edgePool, "api", testPool}}, (*life).handMade},
	{"adopt", 1, [][]string{onOff}, func(l *life, words []string) {
		l.edit("web", func(rel *v1alpha1.Release) {
			if rel.Spec.Adopt = nil; words[0] == "on" {
				rel.Spec.Adopt = &v1alpha1.AdoptSource{Tags: map[string]v1alpha1.TagValue{"role": "hot"}}
			}
		})
	}},
	{"override", 2, [][]string{{"Preview", "Live", "RolledBack"}, {"1m", "10m", "2h"}}, (*life).override},
	{"retry", 1, nil, func(l *life, _ []string) { l.retry("web") }},
	{"delete", 1, [][]string{{"web", rivalName}, {"Retain", "Terminate"}}, (*life).delete},
	{"make", 3, [][]string{versions, anyPhase, {"former", "alone"}}, (*life).make},
	{rivalName, 1, [][]string{{"apart", edgePool, testPool}}, (*life).rival},
	{"class", 1, [][]string{{"wide", "small", "poolless", "netless"}}, (*life).class},
}

// aim sets phase and phaseFor.
func aim(rel *v1alpha1.Release, phase, meant string) {
	rel.Spec.Phase = v1alpha1.Phase(phase)
	if phase == "-" {
		rel.Spec.Phase = ""
	}
	switch meant {
	case "for":
		rel.Spec.PhaseFor = string(rel.Spec.Version)
	case "any":
		rel.Spec.PhaseFor = ""
	default:
		rel.Spec.PhaseFor = "v0"
	}
}

func (l *life) deploy(words []string) {
	l.edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Version = v1alpha1.Version(words[0])
		aim(rel, words[1], words[2])
	})
}

// image changes the image, with the version or without it.
func (l *life) image(words []string) {
	l.edit("web", func(rel *v1alpha1.Release) {
		if rel.Spec.Image.ID = v1alpha1.ImageID(l.w.Site.V1); words[0] == "second" {
			rel.Spec.Image.ID = v1alpha1.ImageID(l.w.Site.V2)
		}
		if words[1] != "same" {
			rel.Spec.Version = v1alpha1.Version(words[1])
		}
	})
}

func (l *life) phase(words []string) {
	l.edit("web", func(rel *v1alpha1.Release) { aim(rel, words[0], words[1]) })
}

// pool is a pool as it is declared.
func pool(name string) v1alpha1.Pool {
	if name == "api" {
		return e2e.Group(name, name)
	}
	return e2e.Classic(name, name)
}

// without gives the pools but for one.
func without(pools []v1alpha1.Pool, name string) []v1alpha1.Pool {
	var left []v1alpha1.Pool
	for _, p := range pools {
		if p.Name != name {
			left = append(left, p)
		}
	}
	return left
}

func (l *life) drop(words []string) {
	l.edit("web", func(rel *v1alpha1.Release) {
		lbs := &rel.Spec.LoadBalancers
		lbs.Test, lbs.Production = without(lbs.Test, words[0]), without(lbs.Production, words[0])
	})
}

func (l *life) declare(words []string) {
	if words[0] == "extra" {
		l.classic("extra")
	}
	l.edit("web", func(rel *v1alpha1.Release) {
		lbs := &rel.Spec.LoadBalancers
		lbs.Test, lbs.Production = without(lbs.Test, words[0]), without(lbs.Production, words[0])
		if words[1] == testPool {
			lbs.Test = append(lbs.Test, pool(words[0]))
		} else {
			lbs.Production = append(lbs.Production, pool(words[0]))
		}
	})
}

// handMade is a server that somebody made, in a pool, and that "web" may adopt.
func (l *life) handMade(words []string) {
	if !l.there(words[0]) || l.full {
		return
	}
	l.undisturbed(func() {
		id := l.w.HandMade(map[string]string{"role": "hot", cloud.TagAdopt: l.w.Namespace + "/web"})
		if l.there(words[0]) { // time has passed
			l.w.PutIn(words[0], id)
		}
	})
}

// classic makes a classic load balancer that nothing happens to, if it is missing.
func (l *life) classic(name string) {
	if !l.there(name) {
		l.undisturbed(func() { l.w.MakeClassic(name, true) })
	}
}

func (l *life) override(words []string) {
	l.edit("web", func(rel *v1alpha1.Release) {
		if rel.Status.Candidate == nil {
			return
		}
		rel.Spec.Override = &v1alpha1.PhaseOverride{
			Revision: string(rel.Status.Candidate.Revision), Phase: v1alpha1.Phase(words[0]), By: "ops", Reason: "so",
			ExpiresAt: metav1.NewTime(l.w.Clock.Now().Add(duration(words[1])).Truncate(time.Second)),
		}
	})
}

func (l *life) retry(name string) {
	l.edit(name, func(rel *v1alpha1.Release) {
		metav1.SetMetaDataAnnotation(&rel.ObjectMeta, v1alpha1.AnnotationRetry, l.fresh("again"))
	})
}

func (l *life) delete(words []string) {
	if l.w.Gone(words[0]) {
		return
	}
	l.edit(words[0], func(rel *v1alpha1.Release) { rel.Spec.DeletionPolicy = v1alpha1.DeletionPolicy(words[1]) })
	if rel := l.release(words[0]); rel != nil && rel.DeletionTimestamp == nil {
		l.w.Delete(words[0])
	}
}

// make makes "web", where it is gone; former takes over what the last one left behind.
func (l *life) make(words []string) {
	if !l.w.Gone("web") {
		return
	}
	owner := ""
	for _, s := range l.w.Servers("") {
		if s.Tags[cloud.TagRelease] == l.w.Namespace+"/web" && words[2] == "former" {
			owner = s.Tags[cloud.TagOwner]
		}
	}
	rel := l.w.NewRelease(func(rel *v1alpha1.Release) {
		rel.Spec.Version = v1alpha1.Version(words[0])
		aim(rel, words[1], "for")
		if owner != "" {
			rel.Spec.Adopt = &v1alpha1.AdoptSource{FormerOwner: owner}
		}
	})
	l.w.Create(rel)
}

// rival is another Release: with a production pool of its own, and one that "web" has too.
func (l *life) rival(words []string) {
	l.classic("theirs")
	change := func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers = v1alpha1.LoadBalancers{Production: []v1alpha1.Pool{e2e.Classic("theirs", "theirs")}}
		switch words[0] {
		case edgePool:
			rel.Spec.LoadBalancers.Production = append(rel.Spec.LoadBalancers.Production, pool(edgePool))
		case testPool:
			rel.Spec.LoadBalancers.Test = []v1alpha1.Pool{pool(testPool)}
		}
	}
	if !l.w.Gone(rivalName) {
		l.edit(rivalName, change)
		return
	}
	l.w.Create(l.w.NewRelease(func(rel *v1alpha1.Release) {
		rel.Name, rel.Spec.Version, rel.Spec.Replicas = rivalName, "r1", 1
		rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseComplete, "r1"
		change(rel)
	}))
}

func (l *life) class(words []string) {
	l.w.EditClass(func(class *v1alpha1.ReleaseClass) {
		class.Spec = l.w.NewClass().Spec
		switch words[0] {
		case "small":
			class.Spec.MaxServersPerRelease = 2
		case "poolless":
			class.Spec.Pools = []v1alpha1.Pattern{noneName}
		case "netless":
			class.Spec.Subnets = []v1alpha1.Pattern{"subnet-none"}
		}
	})
}

func (l *life) health(words []string) {
	l.edit("web", func(rel *v1alpha1.Release) {
		h := &rel.Spec.Health
		h.Consecutive, h.MinReadySeconds = int32(atoi(words[0])), int32(atoi(words[1]))
		h.Timeout = metav1.Duration{Duration: duration(words[2])}
	})
}
