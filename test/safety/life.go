package safety

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/test/e2e"
)

// life is a world with what people do in it and what happens to it, a line of text each: "deploy v2 Live for". The lines alone
// repeat it. Each means something in every state; where there is nothing that it could happen to, nothing happens.
type life struct {
	w      *e2e.World
	lines  []string
	manned *manned // nil where no manager looks after the world

	mu        sync.Mutex // guards the failures
	failures  []*failure
	faults    map[string]*localaws.FaultHandle // of the world, by kind
	strangers []string
	hidden    time.Time // when members of pools were left out last
	// unlistened: nothing forwards to the target group any more, since it vanished.
	unlistened bool
	retried    map[string]bool // the Releases that a person was told to try again, and did
	full       bool            // a person who launches by hand may be refused
	tag        int             // counts what needs a name of its own
}

// acts are all that can happen.
var acts []act

func init() { acts = slices.Concat(people, mishaps, troubles) }

// act is something that can happen.
type act struct {
	name   string
	weight int
	// words are what can follow the name: one of each.
	words [][]string
	do    func(l *life, words []string)
}

// say is the line of the act with these words.
func (a act) say(words []string) string { return strings.Join(append([]string{a.name}, words...), " ") }

// live lets a line happen.
func (l *life) live(line string) {
	l.lines = append(l.lines, line)
	words := strings.Fields(line)
	at := slices.IndexFunc(acts, func(a act) bool { return a.name == words[0] })
	if at < 0 || len(words)-1 != len(acts[at].words) {
		l.w.Fatalf("there is no such line as %q", line)
	}
	acts[at].do(l, words[1:])
	l.w.Pass(time.Millisecond) // whatever is due now
}

// edit changes a Release as a person does. The API server may refuse, if it says why; then nothing changes.
func (l *life) edit(name string, change func(rel *v1alpha1.Release)) {
	if l.w.Gone(name) {
		return
	}
	if err := l.w.TryEdit(name, change); err != nil {
		l.refused(err)
	}
}

// refused: by a rule, in words for a person.
func (l *life) refused(err error) {
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "spec.") {
		l.w.Fatalf("an edit is refused, and not by a rule: %v", err)
	}
	l.w.Logf("refused: %v", err)
}

// server is one of a version's that are ours, counted round; "any" is every version.
func (l *life) server(version, number string) (localaws.InstanceInfo, bool) {
	if version == "any" {
		version = ""
	}
	all := l.w.Servers(version)
	if len(all) == 0 {
		return localaws.InstanceInfo{}, false
	}
	return all[atoi(number)%len(all)], true
}

// inject lets a fault of the world begin. One of its kind is on at a time: each ends by putting back what it found.
func (l *life) inject(kind, text string) {
	if last := l.faults[kind]; last != nil {
		last.Remove()
	}
	fault, err := l.w.AWS.InjectText(text)
	if err != nil {
		l.w.Fatalf("%s: %v", text, err)
	}
	l.faults[kind] = fault
}

// failure is a fault of the controller's calls, for a while.
type failure struct {
	text   string
	handle *localaws.FaultHandle
}

// begin lets calls fail for a while.
func (l *life) begin(text, lasts string) {
	f := &failure{text: text}
	l.mu.Lock()
	l.failures = append(l.failures, f)
	l.mu.Unlock()
	l.fail(f)
	l.w.Clock.AfterFunc(duration(lasts), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.failures = slices.DeleteFunc(l.failures, func(other *failure) bool { return other == f })
		f.handle.Remove()
	})
}

func (l *life) fail(f *failure) {
	handle, err := l.w.AWS.InjectText(f.text)
	if err != nil {
		l.w.Fatalf("%s: %v", f.text, err)
	}
	f.handle = handle
}

// undisturbed lets a person do something: his calls do not fail.
func (l *life) undisturbed(do func()) {
	l.mu.Lock()
	for _, f := range l.failures {
		f.handle.Remove()
	}
	l.mu.Unlock()
	do()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.failures {
		l.fail(f)
	}
}

// must fails on an error of a person's own calls.
func (l *life) must(err error) {
	if err != nil {
		l.w.Fatalf("a person's call: %v", err)
	}
}

// there reports whether a pool exists.
func (l *life) there(pool string) bool {
	_, ok := l.w.AWS.Pool(pool)
	return ok
}

// fresh gives a name that this life has not used yet.
func (l *life) fresh(stem string) string {
	l.tag++
	return fmt.Sprintf("%s-%d", stem, l.tag)
}

// release reads a Release; nil where it is gone.
func (l *life) release(name string) *v1alpha1.Release {
	rel := &v1alpha1.Release{}
	err := l.w.Kube.Get(l.w.Context(), types.NamespacedName{Namespace: l.w.Namespace, Name: name}, rel)
	if client.IgnoreNotFound(err) != nil {
		l.w.Fatalf("get %s: %v", name, err)
	}
	if err != nil {
		return nil
	}
	return rel
}

func atoi(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		panic(fmt.Sprintf("%q is no number", word))
	}
	return n
}

func duration(word string) time.Duration {
	d, err := time.ParseDuration(word)
	if err != nil {
		panic(fmt.Sprintf("%q is no duration", word))
	}
	return d
}

// caught is what a function panics with.
func caught(f func()) (what any) {
	defer func() { what = recover() }()
	f()
	return nil
}
