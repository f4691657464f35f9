package e2e

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// mistake is something that people get wrong, or that AWS refuses. A second version is declared with it. It must end in
// this reason with a message that has these words, production must be untouched, nothing may be left behind, and mending
// the cause must heal the Release without a restart.
type mistake struct {
	name   string
	before func(w *World)                        // changes the world first
	edit   func(w *World, rel *v1alpha1.Release) // the mistake in the spec; may be nil
	reason string                                // of Stalled
	words  []string                              // in the message
	mend   func(w *World)                        // mends the world; nil where mendEdit does it
	edited func(w *World, rel *v1alpha1.Release) // mends the spec; may be nil
}

func mistakes() []mistake {
	image := func(id string) func(*World, *v1alpha1.Release) {
		return func(_ *World, rel *v1alpha1.Release) { rel.Spec.Image = v1alpha1.ImageSource{ID: v1alpha1.ImageID(id)} }
	}
	goodImage := func(w *World, rel *v1alpha1.Release) {
		rel.Spec.Image = v1alpha1.ImageSource{ID: v1alpha1.ImageID(w.Site.V2)}
	}
	subnets := func(ids ...string) func(*World, *v1alpha1.Release) {
		return func(_ *World, rel *v1alpha1.Release) {
			rel.Spec.Template.SubnetIDs = nil
			for _, id := range ids {
				rel.Spec.Template.SubnetIDs = append(rel.Spec.Template.SubnetIDs, v1alpha1.SubnetID(id))
			}
		}
	}
	return []mistake{
		{name: "the image does not exist", edit: image("ami-0dead000000000000"), reason: v1alpha1.ReasonImageNotFound,
			words: []string{"ami-0dead000000000000"}, edited: goodImage},
		{name: "the image is not available", before: func(w *World) { w.must("state", w.AWS.SetImageState(w.Site.V2, "pending")) },
			edit: goodImage, reason: v1alpha1.ReasonImageNotAvailable, words: []string{"pending"},
			mend: func(w *World) { w.must("state", w.AWS.SetImageState(w.Site.V2, "available")) }},
		{name: "the SSM parameter does not exist", edit: func(_ *World, rel *v1alpha1.Release) {
			rel.Spec.Image = v1alpha1.ImageSource{SSMParameter: imageParameter}
		}, reason: v1alpha1.ReasonImageParameterNotFound, words: []string{imageParameter},
			mend: func(w *World) { w.must("put", w.PutImage(imageParameter, w.Site.V2)) }},
		{name: "a subnet does not exist", edit: subnets("subnet-0dead000000000000"), reason: v1alpha1.ReasonSubnetNotFound,
			words:  []string{"subnet-0dead000000000000"},
			edited: func(w *World, rel *v1alpha1.Release) { subnets(w.Site.Subnets...)(w, rel) }},
		{name: "a security group does not exist", edit: func(_ *World, rel *v1alpha1.Release) {
			rel.Spec.Template.SecurityGroupIDs = []v1alpha1.SecurityGroupID{"sg-0dead000000000000"}
		}, reason: v1alpha1.ReasonSecurityGroupNotFound, words: []string{"sg-0dead000000000000"},
			mend: func(w *World) { w.AWS.SeedSecurityGroup("sg-0dead000000000000", "late", w.Site.VPC) }},
		{name: "the key pair does not exist", edit: func(_ *World, rel *v1alpha1.Release) { rel.Spec.Template.KeyName = "lost" },
			reason: v1alpha1.ReasonKeyPairNotFound, words: []string{"lost"}, mend: func(w *World) { w.AWS.SeedKeyPair("lost") }},
		{name: "the instance profile does not exist", edit: func(_ *World, rel *v1alpha1.Release) {
			rel.Spec.Template.IAMInstanceProfile = "late"
		}, reason: v1alpha1.ReasonInstanceProfileNotFound, words: []string{"late"}, mend: func(w *World) { w.AWS.SeedInstanceProfile("late") }},
		{name: "the SSM parameter holds no image", before: func(w *World) { w.must("put", w.putParameter(imageParameter, "latest")) },
			edit: func(_ *World, rel *v1alpha1.Release) {
				rel.Spec.Image = v1alpha1.ImageSource{SSMParameter: imageParameter}
			},
			reason: v1alpha1.ReasonImageMalformed, words: []string{imageParameter},
			mend: func(w *World) { w.must("put", w.PutImage(imageParameter, w.Site.V2)) }},
		{name: "the instance type does not exist", edit: func(_ *World, rel *v1alpha1.Release) {
			rel.Spec.Template.InstanceTypes = []v1alpha1.InstanceType{"z9.huge"}
		}, reason: v1alpha1.ReasonInvalidParameter, words: []string{"z9.huge"}, edited: func(_ *World, rel *v1alpha1.Release) {
			rel.Spec.Template.InstanceTypes = []v1alpha1.InstanceType{microType}
		}},
		{name: "the quota is used up", before: func(w *World) { w.AWS.SetInstanceQuota(3) }, reason: v1alpha1.ReasonQuotaExceeded,
			mend: func(w *World) { w.AWS.SetInstanceQuota(-1) }},
		{name: "there is no capacity anywhere", before: func(w *World) { w.setCapacity(0) }, reason: v1alpha1.ReasonNoCapacity,
			mend: func(w *World) { w.setCapacity(-1) }},
	}
}

// classMistakes are those that the class does not allow.
func classMistakes() []mistake {
	return []mistake{
		{name: "the class does not allow the subnet", before: func(w *World) {
			w.editClass(func(c *v1alpha1.ReleaseClass) {
				c.Spec.Subnets = []v1alpha1.Pattern{v1alpha1.Pattern(w.Site.Subnets[0]), v1alpha1.Pattern(w.Site.Subnets[1])}
			})
		}, edit: func(w *World, rel *v1alpha1.Release) {
			rel.Spec.Template.SubnetIDs = []v1alpha1.SubnetID{v1alpha1.SubnetID(w.Site.Subnets[2])}
		}, reason: v1alpha1.ReasonNotAllowedByClass,
			words: []string{"subnet"}, mend: func(w *World) {
				w.editClass(func(c *v1alpha1.ReleaseClass) { c.Spec.Subnets = []v1alpha1.Pattern{"*"} })
			}},
		{name: "the class does not allow the image's owner", before: func(w *World) {
			w.editClass(func(c *v1alpha1.ReleaseClass) { c.Spec.ImageOwners = []v1alpha1.Pattern{"amazon"} })
		}, edit: func(w *World, rel *v1alpha1.Release) {
			rel.Spec.Image = v1alpha1.ImageSource{ID: v1alpha1.ImageID(w.Site.V2)}
		}, reason: v1alpha1.ReasonNotAllowedByClass, words: []string{w0}, mend: func(w *World) {
			w.editClass(func(c *v1alpha1.ReleaseClass) { c.Spec.ImageOwners = []v1alpha1.Pattern{"*"} })
		}},
		{name: "the class does not allow the instance profile", before: func(w *World) {
			w.AWS.SeedInstanceProfile("admin")
			w.editClass(func(c *v1alpha1.ReleaseClass) { c.Spec.IAMInstanceProfiles = []v1alpha1.Pattern{"web-*"} })
		}, edit: func(_ *World, rel *v1alpha1.Release) { rel.Spec.Template.IAMInstanceProfile = "admin" },
			reason: v1alpha1.ReasonNotAllowedByClass, words: []string{w0, "admin"}, mend: func(w *World) {
				w.editClass(func(c *v1alpha1.ReleaseClass) { c.Spec.IAMInstanceProfiles = []v1alpha1.Pattern{"*"} })
			}},
		{name: "the class does not allow the security group", before: func(w *World) {
			w.AWS.SeedSecurityGroup("sg-0bad000000000000a", "open", w.Site.VPC)
			w.editClass(func(c *v1alpha1.ReleaseClass) {
				c.Spec.SecurityGroups = []v1alpha1.Pattern{v1alpha1.Pattern(w.Site.SecurityGroup)}
			})
		}, edit: func(_ *World, rel *v1alpha1.Release) {
			rel.Spec.Template.SecurityGroupIDs = []v1alpha1.SecurityGroupID{"sg-0bad000000000000a"}
		}, reason: v1alpha1.ReasonNotAllowedByClass, words: []string{w0, "sg-0bad000000000000a"}, mend: func(w *World) {
			w.editClass(func(c *v1alpha1.ReleaseClass) { c.Spec.SecurityGroups = []v1alpha1.Pattern{"*"} })
		}},
		{name: "the class allows too few servers", before: func(w *World) {
			w.editClass(func(c *v1alpha1.ReleaseClass) { c.Spec.MaxServersPerRelease = 3 })
		}, reason: v1alpha1.ReasonTooManyServers, words: []string{"3"}, mend: func(w *World) {
			w.editClass(func(c *v1alpha1.ReleaseClass) { c.Spec.MaxServersPerRelease = 4 })
		}},
	}
}

// secretMistakes are those about user data from a Secret.
func secretMistakes() []mistake {
	secret := func(_ *World, rel *v1alpha1.Release) {
		rel.Spec.Template.UserData = &v1alpha1.UserData{SecretRef: &v1alpha1.KeyReference{Name: "web", Key: scriptKey}}
	}
	return []mistake{
		{name: "the ConfigMap does not exist", edit: func(_ *World, rel *v1alpha1.Release) {
			rel.Spec.Template.UserData = &v1alpha1.UserData{ConfigMapRef: &v1alpha1.KeyReference{Name: "web", Key: scriptKey}}
		}, reason: v1alpha1.ReasonConfigMapNotFound, words: []string{"web"}, mend: func(w *World) {
			w.Create(&corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: w.Namespace}, Data: map[string]string{scriptKey: Script("").Inline},
			})
		}},
		{name: "the Secret does not exist", edit: secret, reason: v1alpha1.ReasonSecretNotFound, words: []string{"web"},
			mend: func(w *World) { w.Create(w.secret(scriptKey)) }},
		{name: "the Secret has no such key", before: func(w *World) { w.Create(w.secret("other")) }, edit: secret,
			reason: v1alpha1.ReasonSecretKeyNotFound, words: []string{scriptKey}, mend: func(w *World) {
				w.must("delete", w.Kube.Delete(w.Context(), w.secret("other")))
				w.Create(w.secret(scriptKey))
			}},
		{name: "the user data of a Secret is over 16 KiB", before: func(w *World) {
			big := w.secret(scriptKey)
			big.StringData[scriptKey] += strings.Repeat("# padding\n", 1800)
			w.Create(big)
		}, edit: secret, reason: v1alpha1.ReasonUserDataTooLarge, words: []string{"16"},
			edited: func(_ *World, rel *v1alpha1.Release) { rel.Spec.Template.UserData = Script("") }},
	}
}

// w0 is a word that every refusal by a class has.
const w0 = "class"

// badInput makes a scenario of every mistake.
func badInput() []Scenario {
	list := slices.Concat(mistakes(), classMistakes(), secretMistakes())
	all := make([]Scenario, 0, len(list)+1)
	all = append(all, Scenario{"access is denied, and given", accessDenied})
	for _, m := range list {
		all = append(all, Scenario{m.name, func(w *World) {
			w.Settled()
			if m.before != nil {
				m.before(w)
			}
			w.Edit("web", func(rel *v1alpha1.Release) {
				rel.Spec.Version, rel.Spec.Phase, rel.Spec.PhaseFor = "v2", v1alpha1.PhaseLive, "v2"
				if m.edit != nil {
					m.edit(w, rel)
				}
			})
			w.Until("it is stalled for "+m.reason, func() bool { return w.Stalled("web", m.reason) })
			w.expect(w.Says("web", v1alpha1.ConditionStalled, m.words...), "the message names the thing")
			w.For(5*time.Minute, "production is untouched", func() bool { return w.Serves("v1") })
			w.expect(!w.Ready("web"), "it is not ready")
			if m.mend != nil {
				m.mend(w)
			}
			if m.edited != nil {
				w.Edit("web", func(rel *v1alpha1.Release) {
					m.edited(w, rel)
					rel.Spec.Version, rel.Spec.PhaseFor = "v3", "v3"
				})
			}
			version := string(w.Release("web").Spec.Version)
			w.UntilWithin("mended, it goes on by itself", 15*time.Minute, func() bool { return w.Ready("web") && w.Only("api", version) })
			w.expect(len(w.Servers(version)) == 2, "nothing is left over")
		}})
	}
	return all
}

func accessDenied(w *World) {
	w.Settled()
	permit := w.AWS.Deny("ec2:RunInstances")
	w.Deploy("web", "v2", v1alpha1.PhaseLive)
	w.Until("it is stalled", func() bool { return w.Stalled("web", v1alpha1.ReasonAccessDenied) })
	w.For(10*time.Minute, "v1 serves", func() bool { return w.Serves("v1") })
	permit()
	w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
}

// secret is a Secret with a good script under a key.
func (w *World) secret(key string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: w.Namespace}, StringData: map[string]string{key: Script("").Inline}}
}

// setCapacity limits all types and zones; negative: no limit.
func (w *World) setCapacity(n int) {
	for _, kind := range []string{microType, "t3.small"} {
		for _, zone := range []string{"a", "b", "c"} {
			w.AWS.SetCapacity(kind, w.AWS.Region()+zone, n)
		}
	}
}

// editClass changes this world's class.
func (w *World) editClass(change func(*v1alpha1.ReleaseClass)) {
	w.Helper()
	class := &v1alpha1.ReleaseClass{}
	w.must("get class", w.Kube.Get(w.Context(), client.ObjectKey{Name: w.Class}, class))
	change(class)
	w.must("edit class", w.Kube.Update(w.Context(), class))
	w.touch(class)
}
