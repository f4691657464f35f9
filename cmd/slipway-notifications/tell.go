package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/argoproj/notifications-engine/pkg/api"
	"github.com/argoproj/notifications-engine/pkg/controller"
	"github.com/argoproj/notifications-engine/pkg/services"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/notify"
)

// settings are where services, triggers and templates are, and the tokens that services refer to.
type settings struct{ namespace, configMap, secret string }

const (
	// again is how often every Release is looked at anew: what could not be sent is tried again then.
	again = 3 * time.Minute
	// workers send at a time.
	workers = 3
)

// tell runs the engine until the context ends.
func tell(ctx context.Context, client dynamic.Interface, kube kubernetes.Interface, from settings) error {
	resource := v1alpha1.GroupVersion.WithResource("releases")
	releases := dynamicinformer.NewDynamicSharedInformerFactory(client, again).ForResource(resource).Informer()
	configMaps := only(kube, from.namespace, from.configMap).Core().V1().ConfigMaps().Informer()
	secrets := only(kube, from.namespace, from.secret).Core().V1().Secrets().Informer()
	factory := api.NewFactory(api.Settings{ConfigMapName: from.configMap, SecretName: from.secret, InitGetVars: initVars}, from.namespace, secrets, configMaps)
	engine := controller.NewController(client.Resource(resource), releases, factory)

	for _, informer := range []cache.SharedIndexInformer{configMaps, secrets, releases} {
		go informer.Run(ctx.Done())
	}
	if !cache.WaitForCacheSync(ctx.Done(), configMaps.HasSynced, secrets.HasSynced, releases.HasSynced) {
		return errors.Join(errors.New("the caches were not filled"), ctx.Err())
	}
	engine.Run(workers, ctx.Done())
	return nil
}

// only watches one object, so that its role has to permit no other.
func only(kube kubernetes.Interface, namespace, name string) informers.SharedInformerFactory {
	return informers.NewSharedInformerFactoryWithOptions(kube, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector("metadata.name", name).String()
		}))
}

// initVars says what triggers and templates can speak of: the object, as obj and release, and notices, by kind.
func initVars(*api.Config, *corev1.ConfigMap, *corev1.Secret) (api.GetVars, error) {
	return func(object map[string]any, _ services.Destination) map[string]any {
		return map[string]any{"obj": object, "release": object, "notices": notices(object)}
	}, nil
}

// notices are what there is to tell of a Release now: notices.live.command, for one. A kind that there is nothing of is missing.
func notices(object map[string]any) map[string]any {
	var rel v1alpha1.Release
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, &rel); err != nil {
		return nil
	}
	all := map[string]any{}
	for kind, notice := range notify.Current(&rel) {
		fields := map[string]any{}
		text, err := json.Marshal(notice)
		if err != nil || json.Unmarshal(text, &fields) != nil {
			continue
		}
		fields["id"], fields["title"] = notice.ID, notice.Title()
		all[string(kind)] = fields
	}
	return all
}
