package e2e

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

const adviceClass = "use others, or have the class changed"

// anything is the pattern that allows everything.
var anything = []v1alpha1.Pattern{"*"}

// classMistakes are those that the class does not allow.
func classMistakes() []mistake {
	const open = "sg-0bad000000000000a"
	return []mistake{
		{
			name: "the class does not allow the subnet",
			before: func(w *World) {
				w.EditClass(func(c *v1alpha1.ReleaseClass) {
					c.Spec.Subnets = []v1alpha1.Pattern{v1alpha1.Pattern(w.Site.Subnets[0]), v1alpha1.Pattern(w.Site.Subnets[1])}
				})
			},
			edit:    inSubnets(thirdSubnet),
			refusal: told(v1alpha1.ReasonNotAllowedByClass, "(spec.subnets allows subnet-", adviceClass, "ReleaseClass class-", thirdSubnet),
			mend:    func(w *World) { w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.Subnets = anything }) },
		},
		{
			name: "the class does not allow the image's owner",
			before: func(w *World) {
				w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.ImageOwners = []v1alpha1.Pattern{"amazon"} })
			},
			edit:    ofImage(v1alpha1.ImageSource{ID: secondImage}),
			refusal: told(v1alpha1.ReasonNotAllowedByClass, "(spec.imageOwners allows amazon)", adviceClass, "image "+secondImage, "or self"),
			mend: func(w *World) {
				w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.ImageOwners = []v1alpha1.Pattern{"self"} })
			},
		},
		{
			name: "the class does not allow the instance profile",
			before: func(w *World) {
				w.AWS.SeedInstanceProfile("admin")
				w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.IAMInstanceProfiles = []v1alpha1.Pattern{"web-*"} })
			},
			edit:    func(_ *World, rel *v1alpha1.Release) { rel.Spec.Template.IAMInstanceProfile = "admin" },
			refusal: told(v1alpha1.ReasonNotAllowedByClass, "(spec.iamInstanceProfiles allows web-*)", adviceClass, "admin"),
			mend:    func(w *World) { w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.IAMInstanceProfiles = anything }) },
		},
		{
			name: "the class does not allow the security group",
			before: func(w *World) {
				w.AWS.SeedSecurityGroup(open, "open", w.Site.VPC)
				w.EditClass(func(c *v1alpha1.ReleaseClass) {
					c.Spec.SecurityGroups = []v1alpha1.Pattern{v1alpha1.Pattern(w.Site.SecurityGroup)}
				})
			},
			edit: func(_ *World, rel *v1alpha1.Release) {
				rel.Spec.Template.SecurityGroupIDs = []v1alpha1.SecurityGroupID{open}
			},
			refusal: told(v1alpha1.ReasonNotAllowedByClass, "(spec.securityGroups allows sg-", adviceClass, open),
			mend:    func(w *World) { w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.SecurityGroups = anything }) },
		},
		{
			name:   "the class allows too few servers",
			before: func(w *World) { w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.MaxServersPerRelease = 3 }) },
			refusal: told(v1alpha1.ReasonTooManyServers, "2 more servers beside 2 would exceed", "lower spec.replicas",
				"maxServersPerRelease 3 of the ReleaseClass"),
			mend: func(w *World) { w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.MaxServersPerRelease = 4 }) },
		},
	}
}

// EditClass changes this world's class.
func (w *World) EditClass(change func(*v1alpha1.ReleaseClass)) {
	w.Helper()
	w.must("edit class", w.TryEditClass(change))
}

// TryEditClass is EditClass, and returns the API server's refusal.
func (w *World) TryEditClass(change func(*v1alpha1.ReleaseClass)) error {
	w.Helper()
	class := &v1alpha1.ReleaseClass{}
	w.must("get class", w.Kube.Get(w.Context(), client.ObjectKey{Name: w.Class}, class))
	change(class)
	if err := w.Kube.Update(w.Context(), class); err != nil {
		return err
	}
	w.touch(class)
	w.heard()
	return nil
}

const (
	adviceCreate = "create it, or allow Slipway to read it"
	adviceKey    = "add it, or name another key"
	adviceSize   = "bake the rest into the image"
	otherKey     = "other"
)

func fromConfigMap(_ *World, rel *v1alpha1.Release) {
	rel.Spec.Template.UserData = &v1alpha1.UserData{ConfigMapRef: &v1alpha1.KeyReference{Name: "web", Key: scriptKey}}
}

// userDataMistakes are those about user data. Each goes from bad to worse in one world, as far as the reasons allow.
func userDataMistakes() []mistake {
	tooLarge := told(v1alpha1.ReasonUserDataTooLarge, "bytes after replacement and EC2 takes 16384", adviceSize, "user data")
	padding := strings.Repeat("# padding\n", 1800)
	put := func(object func(w *World) client.Object) func(w *World) {
		return func(w *World) { w.must("update", w.Kube.Update(w.Context(), object(w))) }
	}
	secret := func(key, more string) func(w *World) client.Object {
		return func(w *World) client.Object {
			s := w.secret(key)
			s.Data, s.StringData = map[string][]byte{key: []byte(s.StringData[key] + more)}, nil
			return s
		}
	}
	config := func(key, more string) func(w *World) client.Object {
		return func(w *World) client.Object {
			return &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: w.Namespace}, Data: map[string]string{key: Script("").Inline + more},
			}
		}
	}
	return []mistake{
		{
			name: "the Secret does not exist, has no such key, and is over 16 KiB", edit: func(_ *World, rel *v1alpha1.Release) { fromSecret(rel) },
			refusal: told(v1alpha1.ReasonSecretNotFound, `secrets "web" not found`, adviceCreate, "Secret world-", "/web"),
			turns: []turn{
				{func(w *World) { w.Create(secret(otherKey, "")(w)) },
					told(v1alpha1.ReasonSecretKeyNotFound, "has no key "+scriptKey, adviceKey, "Secret world-", "/web")},
				{put(secret(scriptKey, padding)), tooLarge},
			},
			mend: put(secret(scriptKey, "")),
		},
		{
			name: "the ConfigMap does not exist, has no such key, and is over 16 KiB", edit: fromConfigMap,
			refusal: told(v1alpha1.ReasonConfigMapNotFound, `configmaps "web" not found`, adviceCreate, "ConfigMap world-", "/web"),
			turns: []turn{
				{func(w *World) { w.Create(config(otherKey, "")(w)) },
					told(v1alpha1.ReasonConfigMapKeyNotFound, "has no key "+scriptKey, adviceKey, "ConfigMap world-", "/web")},
				{put(config(scriptKey, padding)), tooLarge},
			},
			mend: put(config(scriptKey, "")),
		},
		{
			name: "the user data in the spec grows over 16 KiB when its variables are replaced",
			edit: func(_ *World, rel *v1alpha1.Release) {
				rel.Spec.Version = v1alpha1.Version("v2-" + strings.Repeat("x", 120))
				rel.Spec.Template.UserData = &v1alpha1.UserData{Inline: Script("").Inline + strings.Repeat("# ${SLIPWAY_VERSION}\n", 700)}
			},
			refusal: tooLarge,
			edited:  func(_ *World, rel *v1alpha1.Release) { rel.Spec.Template.UserData = Script("") },
		},
	}
}

// secret is a Secret with a good script under a key.
func (w *World) secret(key string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: w.Namespace}, StringData: map[string]string{key: Script("").Inline}}
}
