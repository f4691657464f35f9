package laws

import (
	"net/url"
	"slices"
	"strings"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

// token is law 5: when EC2 hears a token, etcd has it.
func (w *Watch) token(s scene) {
	token := s.call.Params.Get("ClientToken")
	for _, revision := range s.revisions {
		if token != "" && strings.Contains(revision.Annotations[memoryAnnotation], token) {
			return
		}
	}
	w.Add("law 5: RunInstances is called with token %q, which is not in etcd", token)
}

// frozen is what makes a revision one: all of its servers are launched from the image and the user data of the first, wherever they
// come from meanwhile.
func (w *Watch) frozen(s scene) {
	revision := tagOf(s.call.Params, cloud.TagRevision)
	made := s.call.Params.Get("ImageId") + " with user data " + s.call.Params.Get("UserData")
	w.mu.Lock()
	first, again := w.made[revision]
	if !again {
		w.made[revision] = made
	}
	w.mu.Unlock()
	if again && first != made {
		w.Add("revision: a server of %s is launched from %s, and the first was from %s", revision, made, first)
	}
}

// tagOf is the value of a tag that a launch gives its servers.
func tagOf(params url.Values, key string) string {
	for name, values := range params {
		if prefix, is := strings.CutSuffix(name, ".Key"); is && slices.Contains(values, key) {
			return params.Get(prefix + ".Value")
		}
	}
	return ""
}

// launched is law 5 on what came of a call: the fleet has no more servers that are of use than were asked for, and a token never meets
// other parameters than its own.
func (w *Watch) launched(s scene) {
	if s.call.Err != nil {
		if strings.Contains(s.call.Err.Error(), "IdempotentParameterMismatch") {
			w.Add("law 5: a token is used for another launch: %v", s.call.Err)
		}
		return
	}
	revision := tagOf(s.call.Params, cloud.TagRevision)
	for i := range s.releases {
		rel := &s.releases[i]
		n := s.ofUse(rel, revision)
		if most := w.mostServers(s, rel); n > most {
			w.Add("law 5: %d servers of %s run or boot after a launch, of %d", n, revision, most)
		}
	}
}

// ofUse counts the servers of a fleet that are of use, or boot. Those that EC2 launched besides, by a fault, are nobody's doing: that
// they leave again is asked for where a world has to come right.
func (s scene) ofUse(rel *v1alpha1.Release, revision string) (n int) {
	for _, server := range s.Instances() {
		_, held := server.Tags[cloud.TagHold] // replaced as well while it boots
		mate := owns(rel, server) && server.Tags[cloud.TagRevision] == revision
		if mate && server.Alive && !server.Surplus && (server.State == "pending" && !held || useful(server)) {
			n++
		}
	}
	return n
}

// mostServers is how many servers a fleet may have, as was asked for lately.
func (w *Watch) mostServers(s scene, rel *v1alpha1.Release) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	most := rel.Spec.Replicas
	for replicas, last := range w.wishes[rel.UID].replicas {
		if s.now.Sub(last) <= changeOfMind {
			most = max(most, replicas)
		}
	}
	return int(most)
}
