package controlplane

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeBuilder writes a file per binary, and remembers what it was asked for.
type fakeBuilder struct {
	mu    sync.Mutex
	built []string
	// before runs ahead of each build; its error is the build's.
	before func(a asset, out string) error
}

func (f *fakeBuilder) build(_ context.Context, a asset, out string) error {
	f.mu.Lock()
	f.built = append(f.built, a.name)
	f.mu.Unlock()
	if f.before != nil {
		if err := f.before(a, out); err != nil {
			return err
		}
	}
	return os.WriteFile(out, []byte("the binary "+a.name), 0o700)
}

func newCache(t *testing.T, root string, f *fakeBuilder) (assetCache, *buffer) {
	t.Helper()
	progress := &buffer{}
	return assetCache{root: root, key: "v1.0.0-test", progress: progress, build: f.build}, progress
}

// buffer is a bytes.Buffer for more than one goroutine.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestAssetsAreBuiltOnce(t *testing.T) {
	builder := &fakeBuilder{}
	cache, progress := newCache(t, t.TempDir(), builder)

	for range 2 {
		dir, err := cache.ensure(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"etcd", "kube-apiserver", "kubectl"}, files(t, dir)); diff != "" {
			t.Errorf("files in the assets folder (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff([]string{"etcd", "kubectl", "kube-apiserver"}, builder.built); diff != "" {
		t.Errorf("built in two calls (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"v1.0.0-test", "v1.0.0-test.lock"}, files(t, cache.root)); diff != "" {
		t.Errorf("left in the cache (-want +got):\n%s", diff)
	}
	for _, want := range []string{"building etcd, kubectl, kube-apiserver", "ready after"} {
		if !strings.Contains(progress.String(), want) {
			t.Errorf("progress lacks %q:\n%s", want, progress)
		}
	}
}

// An interrupted build is never taken for a complete one, and only what it had not finished is built again.
func TestInterruptedBuildIsTakenUpAgain(t *testing.T) {
	root := t.TempDir()
	interrupted := errors.New("interrupted")
	first := &fakeBuilder{before: func(a asset, out string) error {
		if a.name != "kubectl" {
			return nil
		}
		if err := os.WriteFile(out, []byte("half of a binary"), 0o700); err != nil {
			return err
		}
		return interrupted
	}}
	cache, _ := newCache(t, root, first)
	if dir, err := cache.ensure(t.Context()); !errors.Is(err, interrupted) {
		t.Fatalf("ensure = %q, %v, want the builder's error", dir, err)
	}
	if _, err := os.Stat(filepath.Join(root, cache.key)); !os.IsNotExist(err) {
		t.Fatalf("an interrupted build left a folder that looks complete: %v", err)
	}
	// A builder that is killed removes nothing.
	if err := os.MkdirAll(filepath.Join(root, cache.key+".partial", "build-killed", "tmp"), 0o755); err != nil {
		t.Fatal(err)
	}

	second := &fakeBuilder{}
	cache, progress := newCache(t, root, second)
	dir, err := cache.ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"kubectl", "kube-apiserver"}, second.built); diff != "" {
		t.Errorf("built the second time (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"etcd", "kube-apiserver", "kubectl"}, files(t, dir)); diff != "" {
		t.Errorf("files in the assets folder (-want +got):\n%s", diff)
	}
	content, err := os.ReadFile(filepath.Join(dir, "kubectl"))
	if err != nil || string(content) != "the binary kubectl" {
		t.Errorf("kubectl = %q, %v, want a whole one", content, err)
	}
	if !strings.Contains(progress.String(), "etcd: already built") {
		t.Errorf("progress does not say that etcd was kept:\n%s", progress)
	}
}

func TestAssetRemovedByHandIsBuiltAgain(t *testing.T) {
	builder := &fakeBuilder{}
	cache, _ := newCache(t, t.TempDir(), builder)
	dir, err := cache.ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "kubectl")); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if missing := missingAssets(dir); len(missing) > 0 {
		t.Errorf("still missing: %v", missing)
	}
}

// Two at the same time: the second one waits for the first, says so, and uses what that one built.
func TestTwoBuildersAtOnce(t *testing.T) {
	root := t.TempDir()
	building, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	slow := &fakeBuilder{before: func(asset, string) error {
		once.Do(func() { close(building) })
		<-release
		return nil
	}}
	first, _ := newCache(t, root, slow)
	idle := &fakeBuilder{}
	second, progress := newCache(t, root, idle)

	var wg sync.WaitGroup
	ensure := func(c assetCache) {
		if _, err := c.ensure(t.Context()); err != nil {
			t.Error(err)
		}
	}
	wg.Go(func() { ensure(first) })
	<-building
	said := &signalWriter{Writer: progress, written: make(chan struct{})}
	second.progress = said
	wg.Go(func() { ensure(second) })
	<-said.written
	close(release)
	wg.Wait()

	if len(slow.built) != len(assets) || len(idle.built) != 0 {
		t.Errorf("the first built %v, the second %v; want all by the first", slow.built, idle.built)
	}
	if !strings.Contains(progress.String(), "another process is building it") {
		t.Errorf("the second does not say that it waits:\n%s", progress)
	}
}

func TestGivenAssetsThatLackABinary(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"etcd", "kube-apiserver"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(assetsVariable, dir)
	_, err := Assets(t.Context(), &buffer{})
	if err == nil || !strings.Contains(err.Error(), dir+", which lacks kubectl") {
		t.Fatalf("Assets = %v, want an error that names the folder and what it lacks", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kubectl"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := Assets(t.Context(), &buffer{}); err != nil || got != dir {
		t.Errorf("Assets = %q, %v, want the folder that was given", got, err)
	}
}

// The embedded copies are what hack/controlplane says: `go generate ./internal/controlplane` makes them so.
func TestEmbeddedModuleIsCurrent(t *testing.T) {
	for name, embedded := range map[string][]byte{"go.mod": moduleFile, "go.sum": sumFile} {
		source, err := os.ReadFile(filepath.Join("..", "..", "hack", "controlplane", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(source, embedded) {
			t.Errorf("internal/controlplane/module/%s.txt differs from hack/controlplane/%s: run `make generate`", name, name)
		}
	}
}

// The binaries report the version that is pinned, and each staging module is replaced by the release that belongs to it.
func TestPinnedVersions(t *testing.T) {
	version := KubernetesVersion()
	minorPatch, found := strings.CutPrefix(version, "v1.")
	if !found {
		t.Fatalf("KubernetesVersion() = %q, want v1.MINOR.PATCH", version)
	}
	minor, _, _ := strings.Cut(minorPatch, ".")
	want := "-s -w -X k8s.io/component-base/version.gitVersion=" + version +
		" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=" + minor
	if got := versionFlags(); got != want {
		t.Errorf("versionFlags() = %q, want %q", got, want)
	}
	for line := range strings.Lines(string(moduleFile)) {
		_, to, replaced := strings.Cut(strings.TrimSpace(line), " => ")
		if replaced && !strings.HasSuffix(to, " v0."+minorPatch) {
			t.Errorf("%q: want v0.%s, which belongs to Kubernetes %s", line, minorPatch, version)
		}
	}
}
