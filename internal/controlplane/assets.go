package controlplane

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// assetsVariable names the folder to take the binaries from; kubebuilder and setup-envtest use the same one.
const assetsVariable = "KUBEBUILDER_ASSETS"

var (
	//go:embed module/go.mod.txt
	moduleFile []byte
	//go:embed module/go.sum.txt
	sumFile []byte
)

// asset is one binary of the control plane and the package that it is built from.
type asset struct {
	name string
	pkg  string
}

// assets are in the order in which they are built: the quick ones first, so that progress is seen early.
var assets = []asset{
	{name: "etcd", pkg: "go.etcd.io/etcd/server/v3"},
	{name: "kubectl", pkg: "k8s.io/kubernetes/cmd/kubectl"},
	{name: "kube-apiserver", pkg: "k8s.io/kubernetes/cmd/kube-apiserver"},
}

// Assets returns the folder that holds kube-apiserver, etcd and kubectl: KUBEBUILDER_ASSETS where that is set, else a
// folder in the user's cache, where they are built the first time (about ten minutes on two cores; it needs the Go
// toolchain and a module proxy). What goes on is written to progress in lines for people. Two calls at the same time, in
// one process or two, build once: the second one waits, and says so. An interrupted build leaves nothing that would
// be taken for a complete one, and is taken up where it stopped.
func Assets(ctx context.Context, progress io.Writer) (string, error) {
	if dir := os.Getenv(assetsVariable); dir != "" {
		return givenAssets(dir)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a cache folder for the control plane (set HOME, XDG_CACHE_HOME or %s): %w", assetsVariable, err)
	}
	build := compiler{module: moduleFile, sum: sumFile, flags: versionFlags(), progress: progress}
	cache := assetCache{
		root:     filepath.Join(base, "slipway", "controlplane"),
		key:      cacheKey(),
		progress: progress,
		build:    build.build,
	}
	return cache.ensure(ctx)
}

// givenAssets checks a folder that the user named: what is missing is said here, not by a process that fails to start.
func givenAssets(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if missing := missingAssets(dir); len(missing) > 0 {
		return "", fmt.Errorf("%s is %s, which lacks %s: put them there, or unset it to have them built once",
			assetsVariable, dir, strings.Join(missing, " and "))
	}
	return dir, nil
}

func missingAssets(dir string) []string {
	var missing []string
	for _, a := range assets {
		if info, err := os.Stat(filepath.Join(dir, a.name)); err != nil || !info.Mode().IsRegular() {
			missing = append(missing, a.name)
		}
	}
	return missing
}

// KubernetesVersion is the release that is built, as hack/controlplane pins it: "v1.37.2".
func KubernetesVersion() string {
	match := regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes (v\S+)(?: // indirect)?$`).FindSubmatch(moduleFile)
	if match == nil {
		panic("controlplane: the embedded go.mod does not require k8s.io/kubernetes") // a test holds that it does
	}
	return string(match[1])
}

// versionFlags sets the version that kube-apiserver and kubectl report: built without Kubernetes' own scripts they would
// call themselves v0.0.0-master, and clients that look at the server's version would be told nonsense.
func versionFlags() string {
	version := KubernetesVersion()
	number := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	const pkg = "k8s.io/component-base/version"
	return fmt.Sprintf("-s -w -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s",
		pkg, version, number[0], number[1])
}

// cacheKey names what is built: the version for people, and a hash of everything that the binaries are made from. Go's
// own version is left out on purpose: the binaries do the same whichever release compiled them, finding them needs no
// toolchain, and a patch release of Go does not cost anybody another ten minutes.
func cacheKey() string {
	hash := sha256.New()
	for _, part := range [][]byte{moduleFile, sumFile, []byte(versionFlags()), []byte(runtime.GOOS), []byte(runtime.GOARCH)} {
		fmt.Fprintf(hash, "%d:", len(part))
		hash.Write(part)
	}
	return KubernetesVersion() + "-" + hex.EncodeToString(hash.Sum(nil))[:12]
}

// assetCache is one version's place in the user's cache.
type assetCache struct {
	root     string // …/slipway/controlplane
	key      string
	progress io.Writer
	// build makes one binary at the path out, or fails; what it leaves there when it fails is thrown away.
	build func(ctx context.Context, a asset, out string) error
}

// ensure returns the folder with all the binaries, built under the lock if they are not there yet.
func (c assetCache) ensure(ctx context.Context) (string, error) {
	dir := filepath.Join(c.root, c.key)
	if len(missingAssets(dir)) == 0 {
		return dir, nil
	}
	if err := os.MkdirAll(c.root, 0o755); err != nil {
		return "", fmt.Errorf("making the cache for the control plane: %w", err)
	}
	unlock, err := lockFile(ctx, dir+".lock", c.progress)
	if err != nil {
		return "", err
	}
	defer unlock()
	if len(missingAssets(dir)) == 0 { // whoever held the lock has built them
		return dir, nil
	}
	if err := c.fill(ctx, dir); err != nil {
		return "", err
	}
	return dir, nil
}

// fill builds what is missing beside dir and moves it into place as a whole, so that dir is complete whenever it exists.
func (c assetCache) fill(ctx context.Context, dir string) error {
	started := time.Now()
	partial := dir + ".partial"
	if err := c.clear(dir, partial); err != nil {
		return err
	}
	missing := missingAssets(partial)
	fmt.Fprintf(c.progress, "control plane: building %s for Kubernetes %s, once, into %s (all three take about 10 minutes on 2 cores)\n",
		strings.Join(missing, ", "), KubernetesVersion(), dir)
	for _, a := range assets {
		if err := c.fillOne(ctx, partial, a); err != nil {
			return fmt.Errorf("building %s for the control plane (what is built so far is kept; run it again, or set %s to a folder that has the binaries): %w",
				a.name, assetsVariable, err)
		}
	}
	if err := os.Rename(partial, dir); err != nil {
		return fmt.Errorf("moving the control plane's binaries into place: %w", err)
	}
	fmt.Fprintf(c.progress, "control plane: ready after %s in %s\n", time.Since(started).Round(time.Second), dir)
	return nil
}

// clear makes room: a folder that lost a binary is of no use, and a build that was killed may have left its scratch folder.
func (c assetCache) clear(dir, partial string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing an incomplete control plane: %w", err)
	}
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return fmt.Errorf("making the cache for the control plane: %w", err)
	}
	stale, err := filepath.Glob(filepath.Join(partial, "build-*"))
	if err != nil {
		return err
	}
	for _, path := range stale {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("removing what an interrupted build left: %w", err)
		}
	}
	return nil
}

// fillOne builds one binary in a scratch folder and renames it, so that a file under its own name is always whole.
func (c assetCache) fillOne(ctx context.Context, partial string, a asset) error {
	final := filepath.Join(partial, a.name)
	if _, err := os.Stat(final); err == nil {
		fmt.Fprintf(c.progress, "%s: already built\n", a.name)
		return nil
	} else if !os.IsNotExist(err) {
		return err
	}
	scratch, err := os.MkdirTemp(partial, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // what cannot be removed now is removed by the next build, see clear
	out := filepath.Join(scratch, a.name)
	if err := c.build(ctx, a, out); err != nil {
		return err
	}
	return os.Rename(out, final)
}
